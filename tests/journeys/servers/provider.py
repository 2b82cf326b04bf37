"""What the Python servers share: a port, an event store, and an authorization server for a demo.

Everybody agrees at once, and a refresh token is good once. It runs in the strangers' interpreters,
with the SDK of either line.
"""

from __future__ import annotations

import secrets
import socket
import sys
import time
from typing import Any

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.shared.auth import OAuthToken

SCOPES = ["cats", "food"]
HOUR = 3600


def listening() -> tuple[socket.socket, str]:
    """A socket that listens, and the address that is printed for whoever started us."""
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    sys.stdout.write(f"{base}\n")
    sys.stdout.flush()
    return listener, base


class Events(EventStore):
    """What was sent, in order."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        """The id is the place."""
        self.kept.append((stream_id, message))
        return str(len(self.kept))

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        """Everything of the same stream that came later."""
        at = int(last_event_id)
        stream_id = self.kept[at - 1][0]
        for place, (other, message) in enumerate(self.kept[at:], at + 1):
            if other == stream_id and message is not None:
                await send_callback(EventMessage(message, str(place)))
        return stream_id


class Demo:
    """The SDK's OAuthAuthorizationServerProvider, in dictionaries."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, tuple[RefreshToken, str | None]] = {}

    async def get_client(self, client_id: str) -> Any:
        """Who registered."""
        return self.clients.get(client_id)

    async def register_client(self, client_info: Any) -> None:
        """Anybody may."""
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: Any, params: AuthorizationParams) -> str:
        """Agree at once."""
        code = AuthorizationCode(
            code=secrets.token_urlsafe(),
            client_id=client.client_id,
            scopes=params.scopes or ["cats"],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, _client: Any, code: str) -> AuthorizationCode | None:
        """The code, once."""
        return self.codes.get(code)

    async def exchange_authorization_code(self, client: Any, code: AuthorizationCode) -> OAuthToken:
        """Tokens for it."""
        del self.codes[code.code]
        return self._grant(client.client_id, code.scopes, code.resource)

    def _grant(self, client: str, scopes: list[str], resource: str | None) -> OAuthToken:
        token, again = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.access[token] = AccessToken(
            token=token,
            client_id=client,
            scopes=scopes,
            expires_at=int(time.time()) + HOUR,
            resource=resource,
        )
        refresh = RefreshToken(token=again, client_id=client, scopes=scopes)
        self.refresh[again] = refresh, resource
        return OAuthToken(
            access_token=token, expires_in=HOUR, scope=" ".join(scopes), refresh_token=again
        )

    async def load_refresh_token(self, _client: Any, token: str) -> RefreshToken | None:
        """Who has it may use it."""
        return self.refresh[token][0] if token in self.refresh else None

    async def exchange_refresh_token(
        self, client: Any, token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        """Others in its place."""
        _, resource = self.refresh.pop(token.token)
        return self._grant(client.client_id, scopes, resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        """As it was given."""
        return self.access.get(token)

    def introspect(self, token: str) -> dict[str, object]:
        """What a token is worth. RFC 7662 §2.2."""
        found = self.access.get(token)
        if found is None:
            return {"active": False}
        return {
            "active": True,
            "client_id": found.client_id,
            "scope": " ".join(found.scopes),
            "aud": found.resource,
            "exp": found.expires_at,
        }

    async def revoke_token(self, token: Any) -> None:
        """Forget everything."""
        self.access.clear()
        self.refresh.clear()
