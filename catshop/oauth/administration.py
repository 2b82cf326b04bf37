"""What an operator does without a browser: accounts, clients, and tokens for a terminal.

Plain functions for the command line. A token issued here is an ordinary access token of an ordinary
family, made for a built-in client that nobody can authorize as; it is shown once and kept as a
hash, like every other. Next: `ports.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from catshop.kernel import Clock, Secret
from catshop.oauth import audience, clients, tokens
from catshop.oauth.accounts import USERNAME
from catshop.oauth.keys import Keyring
from catshop.oauth.model import AccessToken, App, Client, Family, Link, Origin, Presented, User
from catshop.oauth.passwords import Passwords
from catshop.oauth.ports import Issue, Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.tokens import Mint, Minted

TERMINAL: Final = "catshop-terminal"
"""The client of tokens that were issued by hand. It has no redirect_uri, so no code either."""


class Mistake(Exception):
    """The operator asked for what cannot be; `code` names the words of the catalogue."""

    def __init__(self, code: str, arrived: str) -> None:
        super().__init__(f"{code} ({arrived})")
        self.code = code
        self.arrived = arrived


@dataclass(frozen=True, slots=True)
class Administration:
    """Accounts, clients and tokens, by hand."""

    settings: OAuthSettings
    stores: Stores
    clock: Clock
    mint: Mint
    passwords: Passwords

    @property
    def keyring(self) -> Keyring:
        """The keys that sign, to list and to change."""
        return Keyring(self.settings, self.stores.keys, self.clock, self.mint)

    async def add_user(self, name: str, password: Secret) -> User:
        """A new account. The rules are those of the sign-up page."""
        if not USERNAME.fullmatch(name):
            raise Mistake("E-LOGIN-10", name)
        hashed = await self._hashed(password)
        user = User(tokens.short(self.mint), name, hashed, self.clock())
        if not await self.stores.users.add(user):
            raise Mistake("E-LOGIN-12", name)
        return user

    async def users(self) -> Sequence[User]:
        """Every account, by name."""
        return await self.stores.users.all()

    async def remove_user(self, name: str) -> None:
        """Delete an account with everything that was granted in its name."""
        user = await self._user(name)
        self.stores.notices.ended(*await self.stores.users.remove(user.id))

    async def set_password(self, name: str, password: Secret) -> None:
        """Change a password; every session and every grant of the user ends."""
        user, hashed = await self._user(name), await self._hashed(password)
        ended = await self.stores.users.set_password(user.id, hashed, self.clock())
        self.stores.notices.ended(*ended)

    async def disable_user(self, name: str) -> None:
        """Switch an account off; its tokens are refused from now on."""
        user, now = await self._user(name), self.clock()
        await self.stores.users.disable(user.id, now)
        held = await self.stores.grants.all(now)
        self.stores.notices.ended(*{one.family.id for one in held if one.family.user_id == user.id})

    async def enable_user(self, name: str) -> None:
        """Switch an account on again, with the grants that have not expired meanwhile."""
        user = await self._user(name)
        await self.stores.users.enable(user.id)

    async def link(
        self, issuer: str, subject: str, *, user: str | None = None, client_id: str | None = None
    ) -> None:
        """From now on that subject of that issuer is this user, or this client. RFC 7523 §3."""
        if client_id is not None and await self.stores.clients.find(client_id) is None:
            raise Mistake("E-CLIENT-10", client_id)
        user_id = None if user is None else (await self._user(user)).id
        if not await self.stores.links.add(Link(issuer, subject, user_id, client_id)):
            raise Mistake("E-LINK-01", subject)

    async def unlink(self, issuer: str, subject: str) -> None:
        """That subject is nobody any more; what was granted already ends by itself."""
        if not await self.stores.links.remove(issuer, subject):
            raise Mistake("E-LINK-02", subject)

    async def links(self) -> Sequence[Link]:
        """Everybody that is linked."""
        return await self.stores.links.all()

    async def add_client(
        self, metadata: clients.Metadata, serves: str | None = None
    ) -> dict[str, object]:
        """A client of the operator's, as it is told once; OAuthError for what no client may be.

        The rules are those of registration. Without a redirect_uri it acts for itself alone, and
        whoever acts for itself proves who it is.
        """
        if serves is not None and audience.canonical(serves) is None:
            raise Mistake("E-AUD-04", serves)
        identifier = f"cat_{tokens.short(self.mint)}"
        now = self.clock()
        client = clients.accept(_completed(metadata), identifier, now, Origin.OPERATOR)
        client = replace(client, serves=serves)
        client, secret = clients.armed(client, self.mint)
        await self.stores.clients.add(client)
        return clients.answer(client, secret)

    async def clients(self) -> Sequence[Client]:
        """Every client, the newest last."""
        return await self.stores.registrations.all()

    async def remove_client(self, client_id: str) -> None:
        """Delete a client with everything that was granted to it."""
        if await self.stores.clients.find(client_id) is None:
            raise Mistake("E-CLIENT-10", client_id)
        self.stores.notices.ended(*await self.stores.registrations.remove(client_id))

    async def issue_token(
        self, name: str, scopes: frozenset[str], seconds: int
    ) -> tuple[Secret, AccessToken]:
        """A token for the user, good for `seconds`: the text to show once, and its record."""
        user, now = await self._user(name), self.clock()
        terminal = Client(
            TERMINAL, "catshop token issue", (), (), scopes, now, origin=Origin.OPERATOR
        )
        await self.stores.clients.add(terminal)
        write = await self.keyring.writer()
        minted = Minted.of(tokens.short(self.mint), self.mint, write)
        until = now + timedelta(seconds=seconds)
        family = Family(
            minted.family_id, TERMINAL, user.id, scopes, self.settings.resource, now, until
        )
        token = AccessToken("", minted.access_id, family.id, scopes, now, until)
        access = minted.hashed(token, family)
        if not await self.stores.grants.issue(Issue(family, access, None, at=now)):
            raise Mistake("E-LOGIN-13", name)
        return minted.text(access, family), access

    async def tokens(self) -> Sequence[Presented]:
        """Every access token that is good now; never its text, which nobody has."""
        return await self.stores.grants.all(self.clock())

    async def revoke_token(self, token_id: str) -> None:
        """End the access token of that id, and the family that it belongs to."""
        found = await self.stores.grants.find_id(token_id)
        if found is None:
            raise Mistake("E-REVOKE-01", token_id)
        await self.stores.grants.revoke_family(found.family.id, self.clock())
        self.stores.notices.ended(found.family.id)

    async def apps(self, name: str | None = None) -> Sequence[tuple[User, App]]:
        """What each user, or this one, has granted to which client."""
        users = await self.stores.users.all() if name is None else [await self._user(name)]
        now = self.clock()
        held = [(user, await self.stores.consents.apps(user.id, now)) for user in users]
        return [(user, app) for user, apps in held for app in apps]

    async def revoke_consent(self, name: str, client_id: str) -> None:
        """Take back what a user has granted to a client, and forget that it was allowed."""
        user, now = await self._user(name), self.clock()
        if client_id not in {app.client_id for _, app in await self.apps(name)}:
            raise Mistake("E-CONSENT-06", client_id)
        ended = await self.stores.consents.withdraw(user.id, client_id, now)
        self.stores.notices.ended(*ended)

    async def _hashed(self, password: Secret) -> str:
        length, limits = len(password.reveal()), self.settings.limits
        if length < limits.password_minimum:
            raise Mistake("E-LOGIN-11", f"{length} characters")
        if length > limits.password_length:
            raise Mistake("E-LOGIN-07", f"{length} characters")
        return await self.passwords.hash(password)

    async def _user(self, name: str) -> User:
        user = await self.stores.users.by_name(name)
        if user is None:
            raise Mistake("E-LOGIN-13", name)
        return user


def _completed(metadata: clients.Metadata) -> clients.Metadata:
    """The metadata with the grants and the method that fit, where none are named."""
    itself = {"grant_types": ["client_credentials"]} if "redirect_uris" not in metadata else {}
    told = {**itself, **metadata}
    proof = "client_credentials" in str(told.get("grant_types"))
    return {"token_endpoint_auth_method": "client_secret_basic", **told} if proof else told
