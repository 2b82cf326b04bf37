"""Which revision a handshake settles on."""

from __future__ import annotations

import pytest

from catshop.protocol.versions import HANDSHAKE, STATELESS, negotiate


@pytest.mark.parametrize("requested", HANDSHAKE)
def test_a_known_revision_is_answered_with_itself(requested: str) -> None:
    """MCP 2025-11-25 basic/lifecycle §version-negotiation."""
    assert negotiate(requested).name == requested


@pytest.mark.parametrize("requested", [*STATELESS, "2024-11-05", "1.0", ""])
def test_any_other_is_answered_with_our_newest(requested: str) -> None:
    """MCP 2025-11-25 basic/lifecycle §version-negotiation."""
    assert negotiate(requested).name == HANDSHAKE[0]
