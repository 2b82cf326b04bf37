"""Accounts with a password: signing in and signing up, by the form of the login page.

What a wrong password, an unknown name and a closed account get is one answer, in one time. How
often anybody may try is counted before it is judged; who is in gets a browser with a new name.
Knows no clients and no requests: `browser.py` shows the form and goes on from there. OAuth 2.1 §7.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Final

from catshop.kernel import Clock, Secret, Trace, Unavailable, Verdict
from catshop.oauth import audit, throttle, tokens
from catshop.oauth.model import BrowserSession, User
from catshop.oauth.pages import Problem
from catshop.oauth.parameters import Parameters
from catshop.oauth.passwords import Passwords
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings, SignUp
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.messages import Request

USERNAME: Final = re.compile(r"[A-Za-z0-9_-]{2,30}")
"""What an account may be called; also what a page, a log or a path can show without harm."""

SIGN_UP: Final = "sign-up"
"""What the button says that opens an account."""


class Accounts:
    """Lets people in who have an account here, or open one."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint, trace: Trace
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._trace = trace
        self._passwords = Passwords(settings.limits)
        self._throttle = Throttle(stores.attempts, clock, mint)

    async def enter(self, request: Request, sent: Parameters, browser: Secret) -> Secret | Problem:
        """The new name of a browser in which somebody has signed in or up, or what to tell them."""
        name = sent.one("username") or ""
        password = sent.secret("password") or Secret("")
        if len(password.reveal()) > self._settings.limits.password_length:
            return Problem("E-LOGIN-07", 400)
        try:
            if sent.one("action") == SIGN_UP:
                return await self._sign_up(request, name, password, browser)
            return await self._sign_in(request, name, password, browser)
        except Throttled as wait:
            return Problem("E-LOGIN-06", 429, fields=(("retry-after", str(wait.retry_after)),))

    async def _sign_in(
        self, request: Request, name: str, password: Secret, browser: Secret
    ) -> Secret | Problem:
        """One answer for a wrong password, an unknown name and a closed account, in one time."""
        budget = throttle.sign_in(name, request.address, self._settings.limits)
        async with self._throttle.spending(budget) as attempt:
            user = await self._stores.users.by_name(name) if USERNAME.fullmatch(name) else None
            audit.seen(user=user.id if user else None)
            matches = await self._passwords.matches(password, user.password_hash if user else None)
            if user is None or not matches or not user.active:
                self._trace.check("login.password", Verdict.NO)
                challenge = ("www-authenticate", 'Form realm="Cat Shop"')
                return Problem("E-LOGIN-05", 401, fields=(challenge,))
            self._trace.check("login.password", Verdict.OK)
            fresh = Secret(self._mint())
            await self._stores.sessions.sign_in(self._begun(fresh, user), browser.digest())
        with suppress(Unavailable):  # the session stands, and can be told of only now
            await self._throttle.refund(attempt, budget)
        return fresh

    async def _sign_up(
        self, request: Request, name: str, password: Secret, browser: Secret
    ) -> Secret | Problem:
        """A new account, when its name is free and allowed and its password long enough."""
        if self._settings.signup is SignUp.CLOSED:
            return Problem("E-LOGIN-09", 403)
        if not USERNAME.fullmatch(name):
            return Problem("E-LOGIN-10", 400, new=True)
        if len(password.reveal()) < self._settings.limits.password_minimum:
            return Problem("E-LOGIN-11", 400, new=True)
        budget = throttle.sign_up(request.address, self._settings.limits)
        async with self._throttle.spending(budget):
            hashed = await self._passwords.hash(password)
            user = User(tokens.short(self._mint), name, hashed, self._clock())
            fresh = Secret(self._mint())
            session = self._begun(fresh, user)
            added = await self._stores.sessions.sign_up(user, session, browser.digest())
        return fresh if added else Problem("E-LOGIN-12", 409, new=True)

    def _begun(self, browser: Secret, user: User) -> BrowserSession:
        """What begins for the user in the browser that is called so from now on."""
        now, lasts = self._clock(), timedelta(seconds=self._settings.limits.session_seconds)
        return BrowserSession(browser.digest(), user.id, now, now + lasts)
