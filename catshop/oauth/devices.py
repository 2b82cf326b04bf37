"""The device grant: a program without a browser shows a code, and its user types it into one.

To the browser a device is a client like any other: the typed code becomes an authorization request
that waits for sign-in and consent, whose answer comes back to an address of ours. To the device the
`device_code` is its code_verifier: the code that consent has made waits under the device, and only
who holds the `device_code` can redeem it, once, by the rules of the code grant. RFC 8628; RFC 7636.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from catshop.kernel import Clock, Secret, Trace
from catshop.oauth import audience, scopes, throttle, tokens
from catshop.oauth.authorize import Draft
from catshop.oauth.browser import Browser, page
from catshop.oauth.checks import Checks, examine, settle
from catshop.oauth.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    SlowDown,
    TemporarilyUnavailable,
    UnauthorizedClient,
)
from catshop.oauth.model import Client, Device, DeviceEvent, DeviceState
from catshop.oauth.pages import Pages, Problem
from catshop.oauth.parameters import DEVICE_CODE, CodeGrant, Parameters, of_body, of_query
from catshop.oauth.parking import DEVICE_DONE
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Answer, Handler, Request

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Letters of a user_code: no vowels, so that no word comes of it. RFC 8628 §6.1."""

LENGTH: Final = 8
"""20^8 codes, of which one address may try a few: RFC 8628 §5.1."""

ENTER: Final = "/device"
DONE: Final = DEVICE_DONE


def user_code(mint: Mint) -> str:
    """A code to be typed: random letters. RFC 8628 §6.1."""
    number = int.from_bytes(hashlib.sha256(mint().encode()).digest(), "big")
    return "".join(ALPHABET[number // 20**place % 20] for place in range(LENGTH))


def shown(code: str) -> str:
    """The code as it is shown, in two halves."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str:
    """What was meant: case and everything between the letters do not matter. RFC 8628 §6.1."""
    return "".join(letter for letter in text.upper() if letter in ALPHABET)


def challenge(device_code: Secret) -> str:
    """The code_challenge whose verifier is the device_code. RFC 7636 §4.2."""
    digest = hashlib.sha256(device_code.reveal().encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class Polling:
    """A device that asks whether its user has decided, as it was before it asked."""

    device: Device
    client: Client
    now: datetime


def device_is_the_clients(polling: Polling) -> Polling:
    """A device_code is good for the client that it was issued to. RFC 8628 §3.4."""
    if polling.device.client_id != polling.client.id:
        raise InvalidGrant("E-DEVICE-01")
    return polling


def device_is_fresh(polling: Polling) -> Polling:
    """A user has only so long to decide. RFC 8628 §3.5."""
    if polling.now >= polling.device.expires_at:
        raise ExpiredToken("E-DEVICE-02")
    return polling


def device_is_patient(polling: Polling) -> Polling:
    """Between two questions `interval` passes; storage has made it longer. RFC 8628 §3.5."""
    last, pause = polling.device.polled_at, timedelta(seconds=polling.device.interval)
    if last is not None and polling.now < last + pause:
        raise SlowDown("E-DEVICE-03", arrived=f"{round((polling.now - last).total_seconds())} s")
    return polling


def user_has_agreed(polling: Polling) -> Polling:
    """Nothing is issued before the user has said yes. RFC 8628 §3.5."""
    if polling.device.state is DeviceState.PENDING:
        raise AuthorizationPending("E-DEVICE-04")
    if polling.device.state is DeviceState.DENIED:
        raise AccessDenied("E-DEVICE-05")
    return polling


POLL: Final[Checks[Polling]] = (
    ("device.client", device_is_the_clients),
    ("device.fresh", device_is_fresh),
    ("device.pace", device_is_patient),
    ("device.decided", user_has_agreed),
)
"""What must hold before a device may redeem the code that waits for it."""


class Devices:
    """`/device_authorization` for programs, `/device` for people, and the answer to a poll."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint, trace: Trace
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._trace = trace
        self._throttle = Throttle(stores.attempts, clock, mint)
        self._pages = Pages(settings)

    async def authorize(self, sent: Parameters, client: Client, address: str) -> dict[str, object]:
        """Begin: a code for the device, one for its user, and where to type it. RFC 8628 §3.1."""
        if DEVICE_CODE not in client.grant_types:
            raise UnauthorizedClient("E-TOKEN-02", arrived=DEVICE_CODE)
        asked = scopes.parse(sent.one("scope") or "") or scopes.DEFAULT
        wanted = scopes.common(asked, client.scopes & scopes.ORDINARY)
        if not wanted:
            raise InvalidScope("E-SCOPE-04", arrived=sent.one("scope") or "no scope")
        resource = audience.resolve(sent.all("resource"), self._settings.resource)
        limits, now = self._settings.limits, self._clock()
        secret, code = Secret(f"cat_dc_{self._mint()}"), user_code(self._mint)
        device = Device(
            id=tokens.short(self._mint),
            hash=secret.digest(),
            user_code=Secret(code).digest(),
            client_id=client.id,
            code_challenge=challenge(secret),
            scopes=wanted,
            resource=resource,
            created_at=now,
            expires_at=now + timedelta(seconds=limits.device_seconds),
            interval=limits.device_interval_seconds,
        )
        async with self._admitted(address):
            begun = await self._stores.devices.begin(device)
        if not begun:
            raise InvalidClient("E-TOKEN-03", arrived=client.id)
        return {
            "device_code": secret.reveal(),
            "user_code": shown(code),
            "verification_uri": self._settings.url(ENTER),
            "verification_uri_complete": f"{self._settings.url(ENTER)}?user_code={shown(code)}",
            "expires_in": limits.device_seconds,
            "interval": limits.device_interval_seconds,
        }

    async def poll(self, sent: Parameters, client: Client) -> tuple[str, CodeGrant]:
        """The hash of the code that waits for this device, and how it proves that it is its own.

        RFC 8628 §3.4, §3.5.
        """
        secret, now = Secret(sent.need("device_code")), self._clock()
        device = await self._stores.devices.poll(secret.digest(), now)
        if device is None:
            raise InvalidGrant("E-DEVICE-01")
        settle(examine(POLL, Polling(device, client, now))[1], self._trace)
        return device.code or "", CodeGrant(secret, secret, None, sent.all("resource"))

    def handlers(self, browser: Browser) -> tuple[dict[str, Handler], dict[str, Handler]]:
        """Who answers at `ENTER` and at `DONE`; what is refused leaves by the door of the pages."""

        def through(work: Callable[[Browser, Request], Awaitable[Answer]]) -> Handler:
            return partial(page(work), browser)

        return (
            {"GET": through(self._form), "POST": through(self._enter)},
            {"GET": through(self._done)},
        )

    async def _form(self, _: Browser, request: Request) -> Answer:
        """Where a code is typed. One that came along is shown, and sent by hand. RFC 8628 §5.4."""
        return self._pages.device(of_query(request).one("user_code") or "")

    async def _enter(self, browser: Browser, request: Request) -> Answer:
        """From a typed code to sign-in and consent. RFC 8628 §3.3, §5.1."""
        sent = await of_body(request, self._settings.limits.form)
        text = sent.one("user_code") or ""
        draft = await self._waiting(text, request.address)
        if isinstance(draft, Problem):
            request.notes["code"] = draft.code
            return self._pages.device(text, draft)
        return await browser.begin(request, draft)

    async def _waiting(self, text: str, address: str) -> Draft | Problem:
        """The request of the device that shows this code; only so many may be guessed at."""
        budget = throttle.user_codes(address, self._settings.limits)
        try:
            await self._throttle.look(budget)
            code = Secret(typed(text))
            device = await self._stores.devices.typed(code.digest(), self._clock())
            client = await self._stores.clients.find(device.client_id) if device else None
            if device is None or client is None:
                await self._throttle.spend(budget)
                return Problem("E-DEVICE-06", 400)
        except Throttled as wait:
            return Problem("E-DEVICE-08", 429, fields=(("retry-after", str(wait.retry_after)),))
        answer_to, back = Parameters((("state", device.id),)), self._settings.url(DONE)
        asked = (device.code_challenge, device.scopes, device.resource)
        return Draft(answer_to, client, self._settings, back, *asked)

    async def _done(self, _: Browser, request: Request) -> Answer:
        """What the user has decided waits for the device. RFC 8628 §3.3."""
        sent = of_query(request)
        code = sent.secret("code")
        event = DeviceEvent.DENY if code is None else DeviceEvent.APPROVE
        found = code.digest() if code else None
        if not await self._stores.devices.settle(sent.one("state") or "", event, found):
            raise HttpError(400, "E-DEVICE-07")
        return self._pages.device_done(approved=code is not None)

    @asynccontextmanager
    async def _admitted(self, address: str) -> AsyncIterator[None]:
        """Let only so many devices begin from one address. RFC 8628 §5.1."""
        try:
            async with self._throttle.spending(throttle.devices(address, self._settings.limits)):
                yield
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-DEVICE-08", status=429, fields=(retry,)) from None
