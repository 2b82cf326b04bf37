"""An upstream issuer that is strict with its one client: it signs in whoever a test says.

It keeps what it gave out, checks PKCE, client, redirect_uri and secret, and is served over https in
the world of a test; `sign_in` is what its user's browser sees of it. RFC 6749 §4.1; RFC 7636 §4.6.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from anyio.abc import ByteStream
from jwt import PyJWS

from catshop.kernel import Secret
from catshop.oauth import pkce
from catshop.oauth.settings import Upstream
from catshop.protocol.http1.messages import Answer, Fields
from tests.oauth.house import Clock, House, Visitor, field_of, query_of
from tests.oauth.keys import ALGORITHM, private_key, public_set
from tests.oauth.world import Site, answering

IDP = "https://idp.example"
CLIENT = "shop"
SECRET = "the shop's own"
WHO = Upstream(IDP, CLIENT, Secret(SECRET), ("openid", "offline_access"))


@dataclass
class Asked:
    """One request that the issuer got: its path, its fields, its form."""

    path: str
    fields: dict[str, str]
    form: dict[str, str]
    raw: str


@dataclass
class Idp:
    """The issuer. What a test changes here is what the issuer says or does from then on."""

    clock: Clock
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    signed_with: str = "ec"
    failing: tuple[int, str] | None = None
    asked: list[Asked] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    issued: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        found = {
            "issuer": IDP,
            "authorization_endpoint": f"{IDP}/auth",
            "token_endpoint": f"{IDP}/token",
            "jwks_uri": f"{IDP}/keys",
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }
        return {name: value for name, value in found.items() if value is not None}

    def sign_in(self, location: str, **more: str | None) -> str:
        """Where the browser is sent back after its user has signed in; None leaves a member out."""
        sent = query_of(location)
        assert location.startswith(f"{IDP}/auth?")
        assert (sent["client_id"], sent["response_type"]) == (CLIENT, "code")
        assert sent["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = sent
        self.issued.append(code)
        members = {"code": code, "state": sent["state"], "iss": IDP, **more}
        query = urlencode({name: value for name, value in members.items() if value is not None})
        return f"{sent['redirect_uri']}?{query}"

    async def reply(self, here: Site, stream: ByteStream) -> None:
        """Answer one request of the shop."""
        asked = _read(here.requests[-1])
        self.asked.append(asked)
        if asked.path.startswith("/.well-known"):
            status, body = 200, self.document()
        elif asked.path == "/keys":
            status, body = 200, public_set("ec")
        elif self.failing is not None:
            status, body = self.failing[0], {"error": self.failing[1]}
        elif asked.path == "/token":
            status, body = self._token(asked)
        else:
            status, body = self._about(asked)
        await answering(json.dumps(body), status)(here, stream)

    def _token(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        basic = base64.b64encode(b"shop:the+shop%27s+own").decode()
        if asked.fields.get("authorization") != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        if asked.form["grant_type"] == "refresh_token":
            return self._refresh(asked.form["refresh_token"])
        sent = self.codes.pop(asked.form["code"], None)
        verifier = Secret(asked.form["code_verifier"])
        if sent is None or pkce.derive(verifier) != sent["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if asked.form["redirect_uri"] != sent["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {**self._fresh(), "id_token": self.id_token(sent.get("nonce")), **self.answer}

    def _refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        """Each refresh token is good once."""
        if token not in self.refresh_tokens:
            return 400, {"error": "invalid_grant", "error_description": "<b>unknown</b>"}
        self.refresh_tokens.remove(token)
        return 200, self._fresh()

    def _fresh(self) -> dict[str, Any]:
        access, refresh = f"up_at_{secrets.token_urlsafe()}", f"up_rt_{secrets.token_urlsafe()}"
        self.refresh_tokens.add(refresh)
        self.issued += [access, refresh]
        return {"access_token": access, "token_type": "Bearer", "refresh_token": refresh}

    def _about(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        """Userinfo and introspection: both know the one user."""
        return 200, {"active": True, **self._who()}

    def _who(self) -> dict[str, Any]:
        return {"sub": "1", "preferred_username": "alice", **self.claims}

    def id_token(self, nonce: str | None) -> str:
        """OpenID Connect Core 1.0 §2."""
        now = int(self.clock().timestamp())
        told = {"iss": IDP, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        claims = {**told, **self._who()}
        payload = {name: value for name, value in claims.items() if value is not None}
        kind = self.signed_with
        algorithm = ALGORITHM.get(kind, "ES256")
        text = json.dumps(payload).encode()
        token = PyJWS().encode(text, private_key(kind), algorithm, {"kid": "1"})
        self.issued.append(token)
        return token

    def at(self, path: str) -> list[Asked]:
        """What it was asked there."""
        return [asked for asked in self.asked if asked.path == path]


def _read(raw: str) -> Asked:
    head, _, body = raw.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    fields = {name.lower(): value.strip() for name, _, value in pairs}
    form = {name: values[0] for name, values in parse_qs(body).items()}
    return Asked(urlsplit(first.split(" ")[1]).path, fields, form, raw)


class Traveller(Visitor):
    """A browser that goes to the upstream and comes back, and keeps every cookie."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.jar: dict[str, str] = {}

    async def _send(
        self, method: str, target: str, body: bytes, fields: tuple[tuple[str, str], ...]
    ) -> Answer:
        self.cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items()) or None
        answer = await super()._send(method, target, body, fields)
        for each in Fields(answer.fields).all("set-cookie"):
            name, _, value = each.partition(";")[0].partition("=")
            self.jar[name] = value
        return answer

    async def consent_page(self, client_id: str, **more: Any) -> Answer:
        """Our own page, before anything else."""
        return await self.follow(await self.authorize(client_id, **more))

    async def leave(self, client_id: str, **more: Any) -> str:
        """Agree here; where the upstream is."""
        answer = await self.decide(await self.consent_page(client_id, **more))
        assert answer.status == 303, answer.body
        return field_of(answer, "location") or ""
