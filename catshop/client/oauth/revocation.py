"""Giving tokens back: what the user signs out of should not open anything any more.

The refresh token goes, and with it, at the server, every access token of its grant. A server
without the endpoint is told nothing, and the tokens end by themselves. Pure, but for what it
yields. RFC 7009 §2.1, §2.2.
"""

from __future__ import annotations

from catshop.client.oauth.discovery import find_server
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.registration import Client, prove
from catshop.client.oauth.steps import Sources, Steps, ask, post


def revoke(tokens: Tokens, client: Client, sources: Sources) -> Steps[bool]:
    """Whether the server was told; SignInFailed where it was and refused."""
    server = yield from find_server(tokens.issuer)
    if server.revocation_endpoint is None:
        return False
    refresh = tokens.refresh_token
    form = {
        "token": (refresh or tokens.access_token).reveal(),
        "token_type_hint": "refresh_token" if refresh else "access_token",
    }
    proven, fields = prove(client, server, form, sources)
    reply = yield from ask(post("revocation", server.revocation_endpoint, proven, fields))
    if reply.status != 200:
        raise SignInFailed("E-OAC-26", arrived=str(reply.status))
    return True
