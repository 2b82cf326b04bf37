"""Throttles: what counts as one address."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from catshop.limits import OAuthLimits
from catshop.oauth import throttle
from catshop.oauth.throttle import Budget

LIMITS = OAuthLimits()


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", id="version-4"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="version-6"),
        pytest.param("2001:db8:1:2::%eth0", "2001:db8:1:2::/64", id="zone"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", id="version-4-in-6"),
        pytest.param("", "", id="none"),
        pytest.param("a pipe", "a pipe", id="no-address"),
    ],
)
def test_an_address_of_version_6_is_known_by_its_network(address: str, whose: str) -> None:
    """RFC 4291 §2.5.4: 64 bits name the network, the other 64 its owner chooses."""
    assert throttle.network(address) == whose


@pytest.mark.parametrize(
    "budget",
    [
        pytest.param(lambda at: throttle.sign_in("alice", at, LIMITS), id="L3-sign-in"),
        pytest.param(lambda at: throttle.sign_up(at, LIMITS), id="sign-up"),
        pytest.param(lambda at: throttle.registration(at, LIMITS), id="registration"),
        pytest.param(lambda at: throttle.client_failures("c", at, LIMITS), id="client"),
        pytest.param(lambda at: throttle.devices(at, LIMITS), id="device"),
        pytest.param(lambda at: throttle.user_codes(at, LIMITS), id="user-code"),
    ],
)
def test_a_network_of_version_6_has_one_budget(budget: Callable[[str], Budget]) -> None:
    """NIST SP 800-63B §5.2.2, RFC 8628 §5.1: more addresses are no more attempts."""
    assert budget("2001:db8::1") == budget("2001:db8::2") != budget("2001:db8:0:1::1")
    assert budget("192.0.2.1") != budget("192.0.2.2")
