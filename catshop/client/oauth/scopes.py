"""Which scopes to ask for: what the call needs, what was had before, and nothing for later.

The challenge of the server is the authority for the call at hand; the list in its document stands
in where the challenge is silent; and where both are, the parameter stays away. More is asked for
when a call is refused for it, together with all that was asked before, so that no step up is a
step down. Pure. MCP 2026-07-28 basic/authorization §scope-selection-strategy.
"""

from __future__ import annotations

from typing import Final

from catshop.client.oauth.challenges import Challenge
from catshop.client.oauth.discovery import Guarded

OFFLINE: Final = "offline_access"
"""The scope that asks for a refresh token. OpenID Connect Core 1.0 §11."""


def select(
    guarded: Guarded, challenge: Challenge | None, before: tuple[str, ...]
) -> tuple[str, ...]:
    """What to ask for now; empty means that the parameter is left out.

    `before` is what this client asked for earlier at the same resource: the union is asked for
    (MCP 2026-07-28 basic/authorization §step-up-authorization-flow).
    """
    needed = challenge.scopes if challenge else ()
    first = needed or (() if before else guarded.resource.scopes or ())
    wanted = tuple(dict.fromkeys((*before, *first)))
    return with_offline(wanted, guarded.server.scopes)


def with_offline(wanted: tuple[str, ...], offered: tuple[str, ...]) -> tuple[str, ...]:
    """A refresh token is asked for where the authorization server knows how, never elsewhere; nor
    alone, which would ask for nothing else than it.

    MCP 2026-07-28 basic/authorization §refresh-tokens.
    """
    without = tuple(scope for scope in wanted if scope != OFFLINE)
    return (*without, OFFLINE) if without and OFFLINE in offered else without
