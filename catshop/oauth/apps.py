"""What a user can see and take back: the applications that are signed in, and the browser itself.

`/apps` lists what each application holds and has a button to end it; `/logout` ends the session of
this browser. Both belong to whoever is signed in here, and change nothing without a form of ours.
Next: `browser.py`, by which one gets in. OAuth 2.1 §4.3.3, §7.9.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from catshop.kernel import Clock, Kind, Secret, Trace, Verdict
from catshop.oauth.browser import Browser, page
from catshop.oauth.model import User
from catshop.oauth.pages import Pages, see_other
from catshop.oauth.parameters import of_body
from catshop.oauth.parking import APPS
from catshop.oauth.ports import Stores
from catshop.oauth.settings import Logout, OAuthSettings
from catshop.oauth.signing import Signatures
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Answer, Handler, Request

LOGOUT: Final = "/logout"

Work = Callable[[Browser, Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Apps:
    """`/apps` and `/logout`."""

    settings: OAuthSettings
    stores: Stores
    clock: Clock
    trace: Trace

    def handlers(self, browser: Browser) -> tuple[dict[str, Handler], dict[str, Handler]]:
        """Who answers at `APPS` and at `LOGOUT`; what is refused leaves by the pages' door."""

        def through(work: Work) -> Handler:
            return partial(page(work), browser)

        return (
            {"GET": through(self._list), "POST": through(self._revoke)},
            {"GET": through(self._ask), "POST": through(self._sign_out)},
        )

    async def _list(self, browser: Browser, request: Request) -> Answer:
        """What each application may do, since when. Without a session first to sign in."""
        found = await browser.who(request)
        if found is None:
            return await browser.sign_in_for(request, APPS)
        named, user = found
        held = await self.stores.consents.apps(user.id, self.clock())
        tokens = (self._form_token(named, APPS), self._form_token(named, LOGOUT))
        return Pages(self.settings).apps(user, held, *tokens)

    async def _revoke(self, browser: Browser, request: Request) -> Answer:
        """End what one application holds, and forget the consent. OAuth 2.1 §4.3.3."""
        sent = await of_body(request, self.settings.limits.form)
        _, user = await self._posted(browser, request, sent.one("csrf") or "", APPS)
        client_id = sent.need("client_id")
        ended = await self.stores.consents.withdraw(user.id, client_id, self.clock())
        self.stores.notices.ended(*ended)
        self.trace.note(Kind.STATE, "consent.withdrawn", client_id=client_id, families=len(ended))
        return see_other(self.settings.url(APPS))

    async def _ask(self, browser: Browser, request: Request) -> Answer:
        """The button to sign out; or that nobody is signed in."""
        found = await browser.who(request)
        pages = Pages(self.settings)
        if found is None:
            return pages.signed_out()
        return pages.logout(found[1], self._form_token(found[0], LOGOUT))

    async def _sign_out(self, browser: Browser, request: Request) -> Answer:
        """End the session, and, where the settings say so, what the user has granted. §4.3.3."""
        sent = await of_body(request, self.settings.limits.form)
        named, _ = await self._posted(browser, request, sent.one("csrf") or "", LOGOUT)
        revoke_at = self.clock() if self.settings.logout is Logout.REVOKE else None
        ended = await self.stores.sessions.sign_out(named.digest(), revoke_at)
        self.stores.notices.ended(*ended)
        self.trace.note(Kind.STATE, "session.end", families=len(ended))
        return see_other(self.settings.url(LOGOUT))

    async def _posted(
        self, browser: Browser, request: Request, csrf: str, form: str
    ) -> tuple[Secret, User]:
        """Whoever is signed in where this form of ours was shown. OAuth 2.1 §7.9."""
        found = await browser.who(request)
        bound = (found[0].digest() if found else "", "", form)
        if found is None or not self._signatures.is_form_token(csrf, *bound):
            self.trace.check("form.token", Verdict.NO)
            raise HttpError(403, "E-LOGIN-03")
        self.trace.check("form.token", Verdict.OK)
        return found

    def _form_token(self, browser: Secret, form: str) -> str:
        """For a form that is about no request, but about whoever is signed in here."""
        return self._signatures.form_token(browser.digest(), "", form)

    @property
    def _signatures(self) -> Signatures:
        keys = (self.settings.secret_key, self.settings.previous_keys)
        return Signatures(*keys, self.clock)
