"""The words that all planes share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catshop.kernel import (
    Change,
    Changes,
    Event,
    ListChanged,
    Listing,
    Principal,
    ResourceUpdated,
    Secret,
    Trace,
    Verdict,
)
from catshop.oauth.errors import InvalidGrant
from catshop.oauth.pkce import prove

ALICE = Principal(
    issuer="https://shop.test",
    subject="alice",
    username=None,
    client_id="one",
    audience="https://shop.test/mcp",
    scopes=frozenset(),
    token_id="t",
    expires_at=datetime(2026, 11, 20, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("owner", "learn"),
    [
        pytest.param(None, [True, True, True], id="everybody"),
        pytest.param(ALICE.key, [True, False, False], id="one-client-of-one-user"),
        pytest.param(ALICE.user, [True, True, False], id="one-user"),
    ],
)
def test_a_change_that_belongs_to_somebody_concerns_nobody_else(
    owner: tuple[str | None, ...] | None, learn: list[bool]
) -> None:
    """Security case S16: what belongs to another user is not there."""
    other_client, other_user = replace(ALICE, client_id="two"), replace(ALICE, subject="bob")
    change = ResourceUpdated("cat://1", owner)
    assert [change.concerns(who) for who in (ALICE, other_client, other_user)] == learn


def test_every_listener_hears_every_later_change_in_order() -> None:
    """House rule: who publishes and who listens never meet."""
    changes = Changes()
    first: list[Change] = []
    second: list[Change] = []
    changes.publish(ListChanged(Listing.PROMPTS))
    stop = changes.listen(first.append)
    changes.listen(second.append)
    changes.publish(ResourceUpdated("cat://1"))
    stop()
    changes.publish(ListChanged(Listing.TOOLS))
    assert first == [ResourceUpdated("cat://1")]
    assert second == [ResourceUpdated("cat://1"), ListChanged(Listing.TOOLS)]


def test_a_listener_may_stop_while_it_is_told() -> None:
    """House rule: nobody is forgotten because somebody else left."""
    changes = Changes()
    heard: list[Change] = []

    def once(change: Change) -> None:
        heard.append(change)
        stop()

    stop = changes.listen(once)
    changes.listen(heard.append)
    changes.publish(ResourceUpdated("cat://1"))
    changes.publish(ResourceUpdated("cat://2"))
    assert [change.uri for change in heard if isinstance(change, ResourceUpdated)] == [
        "cat://1",
        "cat://1",
        "cat://2",
    ]


def test_a_check_tells_the_line_that_raised_and_not_who_caught() -> None:
    """Of a function where it begins; without either, the line of the caller."""
    told: list[Event] = []
    trace = Trace()
    trace.observe(told.append)
    try:
        prove(Secret("n" * 43), "another")
    except InvalidGrant as error:
        trace.check("pkce.s256", Verdict.NO, by=error)
    trace.check("pkce.s256", Verdict.OK, by=prove)
    trace.check("pkce.s256", Verdict.NO, by=ValueError("never raised"))
    first = prove.__code__.co_firstlineno
    raised = next(iter(told)).source.partition(":")
    assert (raised[0], int(raised[2]) > first) == ("oauth/pkce.py", True)
    assert told[1].source == f"oauth/pkce.py:{first}"
    assert told[2].source.startswith("test_kernel.py:")
