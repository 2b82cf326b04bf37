"""What the playground of the inspector plays with: users, tools and calls, by our own client.

Each call has a token of its own for the user that was chosen, good for minutes, and goes out over
HTTP like anybody's. A refusal is an answer, too. Next: `catshop/inspector/web/playground.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catshop.app import House
from catshop.client.connect import connect
from catshop.client.errors import ClientError, ServerError
from catshop.client.ports import Incoming, Next, Outgoing
from catshop.inspector.web.playground import Play
from catshop.kernel import Secret
from catshop.oauth.scopes import parse

SECONDS: Final = 300
"""For so long a token of the playground is good."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """One token for every request. RFC 6750 §2.1."""

    token: Secret

    async def proof(self, _request: Outgoing) -> Mapping[str, str]:
        """The field with the token."""
        return {"authorization": f"Bearer {self.token.reveal()}"}

    async def after(self, _request: Outgoing, _response: Incoming) -> Next:
        """There is no other token to try."""
        return Next.TAKE


def play(house: House) -> Play:
    """The ports of the playground of this house."""
    where = f"{house.config.issuer}/mcp"

    async def users() -> Sequence[str]:
        return [user.name for user in await house.administration.users() if user.active]

    async def bearer(user: str, scope: str) -> Bearer:
        token, _ = await house.administration.issue_token(user, parse(scope), SECONDS)
        return Bearer(token)

    listed: list[Mapping[str, Any]] = []

    async def tools(user: str) -> Sequence[Mapping[str, Any]]:
        if not listed:  # the same for everybody, so a page that is read again issues no token
            async with connect(where, None, await bearer(user, "read write")) as client:
                listed.extend(tool.definition for tool in await client.tools())
        return listed

    async def call(
        user: str, scope: str, tool: str, arguments: Mapping[str, object]
    ) -> Mapping[str, Any]:
        try:
            async with connect(where, None, await bearer(user, scope)) as client:
                return await client.call(tool, arguments)
        except (ClientError, ServerError) as error:
            return {"refused": str(error)}

    return Play(users, tools, call)
