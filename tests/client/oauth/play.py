"""A network from a list: plays a flow against answers that a test has written down beforehand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic
from urllib.parse import parse_qsl

from catshop.client.oauth.discovery import Guarded, Resource, Server
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.steps import Ask, Browse, Landed, Reply, Sources, Steps, T

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://shop.example/mcp"
ISSUER = "https://auth.example"


def json_reply(members: object, status: int = 200, **fields: str) -> Reply:
    """An answer in JSON; `DPoP_Nonce="x"` is the field DPoP-Nonce."""
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return Reply(status, headers, json.dumps(members).encode())


NOT_FOUND = Reply(404)


def sources() -> Sources:
    """A clock that stands, and random text that can be foretold and is as long as the real one."""
    count = itertools.count()
    return Sources(lambda: NOW, lambda: f"{next(count):043d}")


@dataclass
class Played(Generic[T]):
    """What a flow did: what it asked for, in order, and how it ended."""

    steps: list[Ask | Browse] = field(default_factory=list)
    value: T | None = None
    failed: SignInFailed | None = None

    @property
    def urls(self) -> list[str]:
        return [step.url for step in self.steps]

    @property
    def result(self) -> T:
        assert self.failed is None, self.failed
        assert self.value is not None
        return self.value

    @property
    def code(self) -> str | None:
        return self.failed.code if self.failed else None

    def form(self, index: int = -1) -> Mapping[str, str]:
        """The form of one request; every name once."""
        step = self.steps[index]
        assert isinstance(step, Ask)
        pairs = parse_qsl(step.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def json(self, index: int = -1) -> Any:
        step = self.steps[index]
        assert isinstance(step, Ask)
        return json.loads(step.body)

    def header(self, name: str, index: int = -1) -> str | None:
        step = self.steps[index]
        assert isinstance(step, Ask)
        return step.headers.get(name)


def play(flow: Steps[T], answers: Iterable[Reply | Landed]) -> Played[T]:
    """Run the flow over the answers; they are all used, and none is missing."""
    played: Played[T] = Played()
    script = iter(answers)
    try:
        step = next(flow)
        while True:
            played.steps.append(step)
            answer = next(script, None)
            assert answer is not None, f"nothing was written down for {step}"
            step = flow.send(answer)
    except StopIteration as done:
        played.value = done.value
    except SignInFailed as failed:
        played.failed = failed
    left = list(script)
    assert not left, f"never asked for: {left}"
    return played


def metadata(issuer: str = ISSUER, **more: object) -> dict[str, object]:
    """Metadata that this client can work with."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
    } | more


def protected(**more: object) -> dict[str, object]:
    """The resource's document."""
    return {"resource": URL, "authorization_servers": [ISSUER]} | more


def guarded(**more: Any) -> Guarded:
    """A server that was discovered; `more` are fields of `Server`."""
    server = Server(ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", s256=True)
    fields = {name: getattr(server, name) for name in Server.__slots__}
    return Guarded(Resource(URL, (ISSUER,)), Server(**fields | {"auth_methods": ("none",)} | more))
