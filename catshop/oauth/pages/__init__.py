"""The pages that a person sees: sign in, consent, and what went wrong.

Plain HTML that needs no script, one stylesheet of our own, everything escaped, and a policy that
lets the browser load nothing else. `form-action` is left out of it on purpose: some browsers apply
it to the redirect that follows the form too, and would cut off every native client. RFC 9700 §4.16;
Content Security Policy Level 3 §6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined

from catshop.catalogue import explain
from catshop.oauth import redirects
from catshop.oauth.model import App, AuthorizationRequest, Client, User
from catshop.oauth.scopes import CATALOGUE, common, write
from catshop.oauth.settings import OAuthSettings, SignUp
from catshop.protocol.http1.messages import NO_STORE, Answer

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none';"
    " frame-ancestors 'none'"
)

FIELDS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    NO_STORE,
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
)
"""What every page says. `same-origin`: with no-referrer the form's own `Origin` would be null."""

NAMELESS: Final = "An application without a name"

STYLESHEET: Final = resources.files(__package__).joinpath("style.css").read_bytes()
STYLE_PATH: Final = "/oauth/style.css"
STYLE_VERSION: Final = hashlib.sha256(STYLESHEET).hexdigest()[:12]


def _environment() -> Environment:
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".html"))
    loader = DictLoader({file.name: file.read_text("utf-8") for file in files})
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


ENVIRONMENT: Final = _environment()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a form is shown again: a code of the catalogue. `new` when it is the form to sign up."""

    code: str
    status: int
    new: bool = False
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pages:
    """Renders every page for one issuer."""

    settings: OAuthSettings

    def login(
        self, request: AuthorizationRequest, client: Client, csrf: str, problem: Problem | None
    ) -> Answer:
        """The form to sign in, and, unless switched off, the one to sign up."""
        own = self.settings.url("/apps")
        return self._form(
            "login.html",
            problem,
            action=self.settings.url("/login"),
            request_id=request.id,
            csrf=csrf,
            client=None if request.redirect_uri == own else shown_name(client),
            signup=self.settings.signup is SignUp.OPEN,
            new=problem is not None and problem.new,
            shortest=self.settings.limits.password_minimum,
        )

    def consent(
        self,
        request: AuthorizationRequest,
        client: Client,
        user: User | None,
        csrf: str,
        problem: Problem | None,
    ) -> Answer:
        """Who asks, where the answer goes, and what for.

        MCP 2026-07-28 basic/authorization/security-considerations §localhost-redirect-uri-risks.
        """
        return self._form(
            "consent.html",
            problem,
            action=self.settings.url("/consent"),
            request_id=request.id,
            csrf=csrf,
            client=shown_name(client),
            home=redirects.destination(client.id) if "://" in client.id else "",
            user=user and user.name,
            upstream=self.settings.upstream and self.settings.upstream.host,
            other_account=self.settings.url(f"/login?req={request.id}&prompt=login"),
            destination=redirects.destination(request.redirect_uri),
            device=request.redirect_uri == self.settings.url("/device/done"),
            loopback=redirects.is_loopback(request.redirect_uri),
            scopes=[scope for name, scope in CATALOGUE.items() if name in request.scopes],
        )

    def device(self, user_code: str, problem: Problem | None = None) -> Answer:
        """Where the code of a device is typed. RFC 8628 §3.3."""
        action = self.settings.url("/device")
        return self._form("device.html", problem, action=action, user_code=user_code[:20])

    def device_done(self, *, approved: bool) -> Answer:
        """What the device is told, and that nothing is left to do here."""
        return self._page("device_done.html", 200, (), approved=approved)

    def apps(self, user: User, held: Sequence[App], csrf: str, leave_csrf: str) -> Answer:
        """What may act for the user, with a button each to end it."""
        shown = [
            {
                "client_id": app.client_id,
                "name": app.name or NAMELESS,
                "home": ", ".join(dict.fromkeys(map(redirects.destination, app.redirect_uris))),
                "scopes": [
                    CATALOGUE[name] for name in write(common(app.scopes, app.scopes)).split()
                ],
                "since": f"{app.since:%Y-%m-%d}",
                "used": f"{app.used_at:%Y-%m-%d}",
            }
            for app in held
        ]
        forms = {"csrf": csrf, "leave_csrf": leave_csrf, "leave": self.settings.url("/logout")}
        action = self.settings.url("/apps")
        return self._page("apps.html", 200, (), user=user.name, held=shown, action=action, **forms)

    def logout(self, user: User, csrf: str) -> Answer:
        """The button that ends the session."""
        action = self.settings.url("/logout")
        return self._page("logout.html", 200, (), user=user.name, csrf=csrf, action=action)

    def signed_out(self) -> Answer:
        """That nobody is signed in here."""
        return self._page("logout.html", 200, (), user="")

    def error(
        self,
        code: str,
        status: int,
        arrived: str = "",
        fields: tuple[tuple[str, str], ...] = (),
        *,
        allowed: Sequence[str] = (),
        back: str = "",
    ) -> Answer:
        """What went wrong, in the words of the catalogue."""
        context = {"words": explain(code), "arrived": arrived, "allowed": allowed, "back": back}
        return self._page("error.html", status, fields, **context)

    def style(self) -> Answer:
        """The stylesheet. Its address changes with its content, so it may be kept for good."""
        fields = (
            ("content-type", "text/css; charset=utf-8"),
            ("cache-control", "public, max-age=31536000, immutable"),
        )
        return Answer(200, fields, STYLESHEET)

    def _form(self, template: str, problem: Problem | None, **context: object) -> Answer:
        words = None if problem is None else explain(problem.code)
        told = {"problem": words and words.title, "advice": words and words.fix}
        status, fields = (200, ()) if problem is None else (problem.status, problem.fields)
        return self._page(template, status, fields, **told, **context)

    def _page(
        self, template: str, status: int, fields: tuple[tuple[str, str], ...], **context: object
    ) -> Answer:
        stylesheet = f"{self.settings.prefix}{STYLE_PATH}?v={STYLE_VERSION}"
        around = {
            "stylesheet": stylesheet,
            "apps": self.settings.upstream is None and self.settings.url("/apps"),
        }
        html = ENVIRONMENT.get_template(template).render(**around, **context)
        return Answer(status, (*FIELDS, *fields), html.encode("utf-8"))


def see_other(target: str, fields: tuple[tuple[str, str], ...] = ()) -> Answer:
    """See Other: the next request is a GET and repeats nothing. OAuth 2.1 §7.5.4."""
    quiet = ("referrer-policy", "no-referrer")
    return Answer(303, (("location", target), NO_STORE, quiet, *fields))


def shown_name(client: Client) -> str:
    """What the client calls itself; nobody has checked it. RFC 7591 §5."""
    return client.name or NAMELESS
