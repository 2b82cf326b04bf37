"""The whole conversation, from registration to revocation."""

from __future__ import annotations

from tests.oauth.house import House


async def test_a_code_becomes_tokens_and_the_token_opens_the_resource(house: House) -> None:
    """OAuth 2.1 §4.1: T24, S7."""
    await house.user()
    client_id = await house.client()
    granted = await house.tokens(client_id)
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 900
    assert granted["scope"] == "read write"
    principal = await house.call(granted["access_token"])
    assert principal.username == "alice"
    assert principal.client_id == client_id
    assert principal.audience == "http://127.0.0.1:8000/mcp"
    assert principal.scopes >= {"read", "write"}
