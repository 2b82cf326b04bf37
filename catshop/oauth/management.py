"""What a client may do with its own registration: read it, replace it, give it up.

At registration it is given a token for this, and the address where the token is good; here the
token is all that counts, so that somebody else's id is worth nothing. A change is judged by the
rules of a registration, and a client that has gone takes everything along that it was granted.
RFC 7592.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Final

from catshop.kernel import Clock, Kind, Secret, Trace
from catshop.oauth import clients
from catshop.oauth.errors import InvalidClientMetadata, InvalidToken
from catshop.oauth.metadata import REGISTER
from catshop.oauth.model import Client
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.messages import NO_STORE, Answer, Request, json_answer

OURS: Final = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""Members that a client is told and never tells. RFC 7592 §2.2."""

Told = dict[str, object]


class Management:
    """The client configuration endpoint."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint, trace: Trace
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._trace = trace

    def entrusted(self, client: Client) -> tuple[Client, Told]:
        """The client with a token for its registration, and what it is told. RFC 7592 §3."""
        token = Secret(f"cat_ra_{self._mint()}")
        return replace(client, management_hash=token.digest()), self._handle(client, token)

    async def read(self, request: Request) -> Answer:
        """The registration as it is, without the secret, which nobody has. RFC 7592 §2.1."""
        client, token = await self._own(request)
        return self._answer(client, token, None)

    async def update(self, request: Request) -> Answer:
        """Replace the registration: what is left out is gone. RFC 7592 §2.2."""
        client, token = await self._own(request)
        sent = await clients.of_body(request, self._settings.limits.form)
        _says_who_it_is(sent, client)
        changed = replace(
            clients.accept(sent, client.id, client.created_at),
            management_hash=client.management_hash,
            secret_hash=client.secret_hash,
        )
        secret = None
        if changed.secret_hash is None or changed.auth_method not in clients.WITH_SECRET:
            changed, secret = clients.armed(changed, self._mint)
        if not await self._stores.registrations.change(changed):
            raise _refusal()
        self._trace.note(Kind.STATE, "client.changed", client_id=client.id)
        return self._answer(changed, token, secret)

    async def delete(self, request: Request) -> Answer:
        """Forget the client with all that was granted to it. RFC 7592 §2.3."""
        client, _ = await self._own(request)
        self._stores.notices.ended(*await self._stores.registrations.remove(client.id))
        self._trace.note(Kind.STATE, "client.removed", client_id=client.id)
        return Answer(204, (NO_STORE,))

    async def _own(self, request: Request) -> tuple[Client, Secret]:
        """The client at this address, if its own token is shown. RFC 7592 §2; RFC 6750 §3.1."""
        scheme, _, shown = (request.fields.one("authorization") or "").partition(" ")
        token = Secret(shown.strip(" ") if scheme.lower() == "bearer" else "")
        client = await self._stores.clients.find(request.head.path.rpartition("/")[2])
        kept = client.management_hash if client else None
        if client is None or kept is None or not hmac.compare_digest(token.digest(), kept):
            raise _refusal()
        return client, token

    def _answer(self, client: Client, token: Secret, secret: Secret | None) -> Answer:
        told = {**clients.answer(client, secret), **self._handle(client, token)}
        return json_answer(200, told, NO_STORE)

    def _handle(self, client: Client, token: Secret) -> Told:
        return {
            "registration_access_token": token.reveal(),
            "registration_client_uri": self._settings.url(f"{REGISTER}/{client.id}"),
        }


def _says_who_it_is(sent: clients.Metadata, client: Client) -> None:
    """A client names itself, and changes neither its secret nor what is ours to say.

    RFC 7592 §2.2.
    """
    if sent.get("client_id") != client.id:
        raise InvalidClientMetadata("E-MANAGE-02", arrived=str(sent.get("client_id", "none")))
    for name in OURS:
        if name in sent:
            raise InvalidClientMetadata("E-MANAGE-03", arrived=name)
    secret = sent.get("client_secret")
    if secret is not None and Secret(str(secret)).digest() != client.secret_hash:
        raise InvalidClientMetadata("E-MANAGE-03", arrived="another client_secret")


def _refusal() -> InvalidToken:
    challenge = ("www-authenticate", 'Bearer realm="Cat Shop registration", error="invalid_token"')
    return InvalidToken("E-MANAGE-01", fields=(challenge,))
