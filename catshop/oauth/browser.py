"""The browser's side: the authorization request, sign-in, consent, and the way back to the client.

A browser is known by one signed cookie with a random id. A waiting request belongs to the browser
that brought it, a session to the browser that signed in; at sign-in the id changes, and the waiting
requests come along, so that a planted cookie is worth nothing. Everything that a form says about
the request is ignored: storage has it. OAuth 2.1 §4.1, §7; RFC 9700 §4.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from typing import Final, Protocol

from catshop.kernel import Clock, Kind, Secret, Trace, Unavailable, Verdict
from catshop.oauth import audit, redirects, tokens
from catshop.oauth import consent as consents
from catshop.oauth.accounts import Accounts
from catshop.oauth.authorize import (
    AT_THE_CLIENT,
    NOBODY,
    ON_OUR_PAGE,
    Draft,
    code_for,
    location,
    may_return_at_once,
    silent,
    state_of,
)
from catshop.oauth.checks import examine, report
from catshop.oauth.documents import ClientDocuments
from catshop.oauth.errors import AccessDenied, OAuthError, plain
from catshop.oauth.model import AuthorizationRequest, BrowserSession, Client, Consent, Refusal, User
from catshop.oauth.pages import Pages, Problem, see_other
from catshop.oauth.parameters import Parameters, Query, of_body, of_query
from catshop.oauth.parking import STRANGER, Parking, Visit
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.signing import Signatures
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import Cookie, parse_cookies, set_cookie
from catshop.protocol.http1.messages import Answer, Request

log: Final = logging.getLogger(__name__)

SIGN_IN: Final = "sign-in"
CONSENT: Final = "consent"

Page = Callable[["Browser", Request], Awaitable[Answer]]


class Elsewhere(Protocol):
    """Where users sign in when it is not here."""

    async def leave(
        self, request: Request, waiting: AuthorizationRequest, granted: frozenset[str]
    ) -> Answer:
        """Send the browser there, now that its user has agreed to `granted`."""
        ...


def page(handler: Page) -> Page:
    """The one door of these pages: whatever is refused here is told to a person."""

    @wraps(handler)
    async def shown(self: Browser, request: Request) -> Answer:
        try:
            return await handler(self, request)
        except OAuthError as error:
            # A page that does not redirect is 400, also where the token endpoint would say 401.
            request.refuse(error, error.reference, plain(error.arrived))
            return self.refuse(error.reference, 400, plain(error.arrived))
        except HttpError as error:
            request.refuse(error, error.code, error.arrived)
            return self.refuse(error.code, error.status, error.arrived, error.fields)
        except Unavailable as error:
            retry = ("retry-after", str(error.retry_after))
            request.refuse(error, error.code)
            return self.refuse(error.code, 503, "", (retry,))

    return shown


class Browser:
    """The handlers of `/authorize`, `/login` and `/consent`."""

    def __init__(
        self,
        settings: OAuthSettings,
        stores: Stores,
        *,
        clock: Clock,
        mint: Mint,
        trace: Trace,
        documents: ClientDocuments,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._trace = trace
        self._documents = documents
        self._elsewhere: Elsewhere | None = None
        self._pages = Pages(settings)
        self._accounts = Accounts(settings, stores, clock=clock, mint=mint, trace=trace)
        self._parking = Parking(settings, stores, clock=clock, mint=mint)
        self._signatures = Signatures(settings.secret_key, settings.previous_keys, clock)
        self._cookie = "__Host-catshop" if settings.is_https else "catshop"

    def sign_in_elsewhere(self, elsewhere: Elsewhere) -> None:
        """From now on nobody signs in here, but there, once they have agreed here."""
        self._elsewhere = elsewhere

    @page
    async def authorize(self, request: Request) -> Answer:
        """Check the request, and send the browser to sign in, to consent, or back.

        OAuth 2.1 §4.1.1, §4.1.2.1.
        """
        sent, browser = await self._sent(request), self._browser(request)
        signed_in = await self._session(browser)
        client_id = sent.one("client_id") or ""
        asks_later = not signed_in and self._elsewhere is None
        if asks_later and self._documents.is_strange(client_id):
            return await self._park(request, await self._parking.unread(sent), browser)
        known = await self._documents.meet(client_id, request.address)
        audit.seen(client=known.id if known else None)
        draft = Draft(sent, known or NOBODY, self._settings)
        draft, findings = examine(ON_OUR_PAGE, draft)
        report(findings, self._trace)
        if findings.error is not None:
            request.notes["code"] = findings.error.reference
            return self._stay(findings.error, draft.client)
        draft, findings = examine(AT_THE_CLIENT, draft)
        report(findings, self._trace)
        error = findings.error or silent(sent, signed_in=bool(signed_in))
        if error is not None:
            request.notes["code"] = error.reference
            audit.seen(error=error.code)
        if error is not None and (signed_in or may_return_at_once(error, draft.redirect_uri)):
            return self._back(draft.redirect_uri, state_of(draft), error.code, error.description)
        if error is not None and self._elsewhere is not None:
            return self._stay(error, draft.client)
        refusal = None if error is None else Refusal(error.code, error.description)
        return await self._park(request, draft, browser, refusal)

    async def begin(self, request: Request, draft: Draft) -> Answer:
        """Ask the user about a request that did not come through `/authorize`. RFC 8628 §3.3."""
        return await self._park(request, draft, self._browser(request))

    @page
    async def show_login(self, request: Request) -> Answer:
        """The form to sign in; who is signed in already goes on to consent."""
        sent = of_query(request)
        browser, visit = await self._visit(request, sent)
        anew = sent.one("prompt") == "login"
        if not anew and await self._stores.sessions.find(browser.digest(), self._clock()):
            return self._on("/consent", visit.request.id)
        return self._login_form(browser, visit)

    @page
    async def login(self, request: Request) -> Answer:
        """Sign in or sign up, and go on to consent in a browser with a new name."""
        sent = await of_body(request, self._settings.limits.form)
        if await self._is_older_than_session(request, sent):
            return self._on("/consent", (await self._visit(request, sent))[1].request.id)
        browser, visit = await self._posted(request, sent, SIGN_IN)
        entered = await self._accounts.enter(request, sent, browser)
        if isinstance(entered, Problem):
            request.notes["code"] = entered.code
            return self._login_form(browser, visit, entered)
        self._trace.note(Kind.STATE, "session.begin", user=sent.one("username"))
        return self._on("/consent", visit.request.id, entered)

    @page
    async def show_consent(self, request: Request) -> Answer:
        """Who asks, for what; without a session first to sign in. OAuth 2.1 §7.9."""
        browser, visit = await self._visit(request, of_query(request))
        user = await self._user(browser)
        if user is None and self._elsewhere is None:
            return self._on("/login", visit.request.id)
        if visit.client.id == STRANGER:
            return await self._come_back(visit.request)
        refusal = visit.request.refusal
        if refusal is not None:
            return await self.deny(visit.request, refusal)
        held = user and consents.Recalled(visit.request, visit.client, user, self._settings.base)
        came = request.fields.get("sec-fetch-site")
        if held and await consents.recalled(held, came, self._stores.consents, self._trace):
            return await self.approve(visit.request, held.user, visit.request.scopes)
        return self._consent_form(browser, visit, user)

    @page
    async def consent(self, request: Request) -> Answer:
        """What the user has decided goes back to the client, once. OAuth 2.1 §4.1.2."""
        sent = await of_body(request, self._settings.limits.form)
        browser, visit = await self._posted(request, sent, CONSENT)
        audit.seen(client=visit.client.id)
        user, waiting = await self._user(browser), visit.request
        if user is None and self._elsewhere is None:
            raise HttpError(403, "E-CONSENT-01")
        if waiting.refusal is not None:
            return await self.deny(waiting, waiting.refusal)
        if sent.one("decision") != "approve":
            denied = AccessDenied("E-CONSENT-04")
            request.notes["code"] = denied.reference
            audit.seen(error=denied.code)
            self._trace.check("consent.given", Verdict.NO)
            return await self.deny(waiting, Refusal(denied.code, denied.description))
        granted = frozenset(sent.all("scope"))
        if not granted <= waiting.scopes:
            raise HttpError(403, "E-CONSENT-02", arrived=plain(" ".join(sorted(granted))))
        if not granted:
            request.notes["code"] = "E-CONSENT-03"
            return self._consent_form(browser, visit, user, Problem("E-CONSENT-03", 400))
        return await self._go_on(request, visit, granted, user)

    async def _go_on(
        self,
        request: Request,
        visit: Visit,
        granted: frozenset[str],
        user: User | None,
    ) -> Answer:
        """From consent to the client; who signs in elsewhere goes there first."""
        waiting = visit.request
        if user is not None:
            given = consents.given(waiting, visit.client, user, granted, self._clock())
            return await self.approve(waiting, user, granted, consent=given)
        if self._elsewhere is None:
            raise HttpError(403, "E-CONSENT-01")
        return await self._elsewhere.leave(request, waiting, granted)

    async def waiting(self, request: Request, request_id: str) -> AuthorizationRequest:
        """The request of that id, if it waits in this browser, and its client may still ask."""
        return (await self._parking.visit(request_id, self._browser(request)))[1].request

    async def approve(
        self,
        waiting: AuthorizationRequest,
        user: User,
        granted: frozenset[str],
        code: Secret | None = None,
        consent: Consent | None = None,
    ) -> Answer:
        """A code goes to the client; this one, if it has been minted. OAuth 2.1 §4.1.2.

        The consent is remembered with it, where users sign in here.
        """
        secret, now = code or tokens.mint_code(self._mint), self._clock()
        lifetime = (now, now + timedelta(seconds=self._settings.limits.code_seconds))
        issued = code_for(waiting, user, granted, secret.digest(), lifetime)
        if not await self._stores.requests.approve(waiting.id, issued, consent):
            raise HttpError(400, "E-LOGIN-01")
        self._trace.check("consent.given", Verdict.OK)
        target = (waiting.redirect_uri, self._settings.issuer, waiting.state)
        return see_other(location(*target, code=secret.reveal()))

    async def deny(self, waiting: AuthorizationRequest, refusal: Refusal) -> Answer:
        """The refusal goes to the client, and the request is decided. OAuth 2.1 §4.1.2.1."""
        if not await self._stores.requests.dismiss(waiting.id):
            raise HttpError(400, "E-LOGIN-01")
        told = (refusal.error, refusal.description)
        return self._back(waiting.redirect_uri, waiting.state, *told)

    async def who(self, request: Request) -> tuple[Secret, User] | None:
        """Who is signed in in this browser, and how the browser is called."""
        browser = self._browser(request)
        user = await self._user(browser) if browser else None
        return (browser, user) if browser and user else None

    async def sign_in_for(self, request: Request, path: str) -> Answer:
        """To the form to sign in, and from there to this page of ours."""
        return await self._park(request, await self._parking.ours(path), self._browser(request))

    async def style(self, _: Request) -> Answer:
        """The stylesheet of the pages."""
        return self._pages.style()

    def refuse(
        self,
        code: str,
        status: int,
        arrived: str = "",
        fields: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """The page that says what went wrong."""
        return self._pages.error(code, status, arrived, fields)

    async def _sent(self, request: Request) -> Parameters:
        """The parameters of query and body together: one that is in both comes twice."""
        sent = of_query(request)
        if request.head.method != "POST":
            return sent
        return sent.joined(await of_body(request, self._settings.limits.form, Query.ALLOWED))

    async def _come_back(self, waiting: AuthorizationRequest) -> Answer:
        """The request again, now that somebody has signed in."""
        if not await self._stores.requests.dismiss(waiting.id):
            raise HttpError(400, "E-LOGIN-01")
        return see_other(waiting.redirect_uri)

    async def _park(
        self,
        request: Request,
        draft: Draft,
        browser: Secret | None,
        refusal: Refusal | None = None,
    ) -> Answer:
        """Keep the request, and go on to consent; who is not signed in is sent there first."""
        named = browser or Secret(self._mint())
        goes_on = self._elsewhere is not None or await self._session(browser)
        waiting = await self._parking.park(draft, named, request.address, refusal)
        path = "/consent" if goes_on else "/login"
        return self._on(path, waiting.id, None if browser else named)

    async def _visit(self, request: Request, sent: Parameters) -> tuple[Secret, Visit]:
        """The waiting request that `req` names, and the browser that it belongs to."""
        return await self._parking.visit(sent.one("req") or "", self._browser(request))

    def _is_ours(self, browser: Secret | None, sent: Parameters, form: str) -> bool:
        """Whether a page of ours in this browser had this form. OAuth 2.1 §7.9."""
        bound = (browser.digest() if browser else "", sent.one("req") or "", form)
        return self._signatures.is_form_token(sent.one("csrf") or "", *bound)

    async def _is_older_than_session(self, request: Request, sent: Parameters) -> bool:
        """Whether another tab has signed in, and so has renamed the browser, since this page."""
        browser = self._browser(request)
        if browser is None or self._is_ours(browser, sent, SIGN_IN):
            return False
        return await self._stores.sessions.find(browser.digest(), self._clock()) is not None

    async def _posted(self, request: Request, sent: Parameters, form: str) -> tuple[Secret, Visit]:
        """The request that a form of ours is about."""
        browser = self._browser(request)
        if browser is None or not self._is_ours(browser, sent, form):
            self._trace.check("form.token", Verdict.NO)
            raise HttpError(403, "E-LOGIN-03")
        self._trace.check("form.token", Verdict.OK)
        return await self._visit(request, sent)

    async def _session(self, browser: Secret | None) -> tuple[BrowserSession, User] | None:
        """The sign-in of this browser; none where users sign in elsewhere."""
        if browser is None or self._elsewhere is not None:
            return None
        return await self._stores.sessions.find(browser.digest(), self._clock())

    async def _user(self, browser: Secret) -> User | None:
        """Who is signed in here. A closed account gets no further. OAuth 2.1 §4.1.2."""
        found = await self._session(browser)
        if found is None:
            return None
        audit.seen(user=found[1].id)
        if not found[1].active:
            raise HttpError(403, "E-LOGIN-04")
        return found[1]

    def _back(self, redirect_uri: str, state: str | None, error: str, description: str) -> Answer:
        """Tell the client of an error. OAuth 2.1 §4.1.2.1; RFC 9207 §2."""
        members = {"error": error, "error_description": description}
        return see_other(location(redirect_uri, self._settings.issuer, state, **members))

    def _stay(self, error: OAuthError, client: Client) -> Answer:
        """Tell the user instead, on our own page: there is nowhere to send them."""
        allowed = client.redirect_uris if error.reference == "E-AUTHZ-04" else ()
        arrived = plain(error.arrived, redirects.LENGTH)
        return self._pages.error(error.reference, 400, arrived, allowed=allowed)

    def _login_form(self, browser: Secret, visit: Visit, problem: Problem | None = None) -> Answer:
        csrf = self._signatures.form_token(browser.digest(), visit.request.id, SIGN_IN)
        return self._pages.login(visit.request, visit.client, csrf, problem)

    def _consent_form(
        self, browser: Secret, visit: Visit, user: User | None, problem: Problem | None = None
    ) -> Answer:
        csrf = self._signatures.form_token(browser.digest(), visit.request.id, CONSENT)
        return self._pages.consent(visit.request, visit.client, user, csrf, problem)

    def _browser(self, request: Request) -> Secret | None:
        """The id in this browser's cookie; a forged or old one is none. RFC 6265 §8.6."""
        value = parse_cookies(request.fields.get("cookie")).get(self._cookie)
        if value is None:
            return None
        found = self._signatures.read_browser(value, self._settings.limits.session_seconds)
        if found is None and "cookie" not in request.notes:
            request.notes["cookie"] = "ignored"
            log.warning("%s a cookie that is not ours, or too old, counts as none", request.id)
        return found

    def _on(self, path: str, request_id: str, browser: Secret | None = None) -> Answer:
        """The next page of ours, in a browser that gets the name `browser` if it is a new one."""
        fields: tuple[tuple[str, str], ...] = ()
        if browser is not None:
            signed = self._signatures.sign_browser(browser)
            fields = (set_cookie(Cookie(self._cookie, signed, secure=self._settings.is_https)),)
        return see_other(self._settings.url(f"{path}?req={request_id}"), fields)
