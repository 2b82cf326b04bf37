"""What OAuth refuses, each error a class that is named by its wire code.

Logic raises; `render` is the one door that turns an error into JSON. At `/authorize` the same error
becomes a redirect or a page of ours: which of them is for `browser.py` to say. The description
tells what arrived, what was expected and which section says so, in the characters that OAuth
allows. RFC 6749 §5.2, §4.1.2.1; RFC 7591 §3.2.2; RFC 8707 §2.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from catshop.catalogue import explain
from catshop.protocol.http1.messages import NO_STORE, Answer, json_answer

FORBIDDEN: Final = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
"""What may not stand in an error_description. RFC 6749 §5.2."""

ARRIVED_LENGTH: Final = 120
"""A description shows no more of what arrived: enough to recognise it, too little to flood logs."""


def plain(text: str, length: int = ARRIVED_LENGTH) -> str:
    """`text` in the characters of an error_description, cut to `length`. RFC 6749 §5.2."""
    shown = FORBIDDEN.sub("?", text)
    return shown if len(shown) <= length else shown[: length - 3] + "..."


def describe(reference: str, arrived: str = "") -> str:
    """The catalogue's words for `reference` on one line, with what arrived."""
    words = explain(reference)
    came = f" Arrived: {plain(arrived)}." if arrived else ""
    return f"{words.title}.{came} Expected: {words.expected}. {words.section}. {reference}"


class OAuthError(Exception):
    """A request is refused. `reference` names the words; `arrived` is safe to show to the sender.

    `status` and `fields` may differ from the class's own where HTTP has more to say (429, 503).
    """

    code: ClassVar[str]
    http_status: ClassVar[int] = 400

    def __init__(
        self,
        reference: str,
        *,
        arrived: str = "",
        status: int | None = None,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{self.code} {reference}" + (f" ({plain(arrived)})" if arrived else ""))
        self.reference = reference
        self.arrived = arrived
        self.status = self.http_status if status is None else status
        self.fields = fields

    @property
    def description(self) -> str:
        """What goes out as `error_description`."""
        return describe(self.reference, self.arrived)


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated or malformed. RFC 6749 §5.2."""

    code = "invalid_request"


class InvalidClient(OAuthError):
    """The client is not known, or did not prove who it is. RFC 6749 §5.2."""

    code = "invalid_client"
    http_status = 401


class InvalidGrant(OAuthError):
    """The code or refresh token is not good for this request. RFC 6749 §5.2."""

    code = "invalid_grant"


class UnauthorizedClient(OAuthError):
    """The client is not registered for this grant. RFC 6749 §5.2."""

    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """No such grant here. RFC 6749 §5.2."""

    code = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    """Only a code is answered at the authorization endpoint. OAuth 2.1 §4.1.2.1."""

    code = "unsupported_response_type"


class InvalidScope(OAuthError):
    """The scope is unknown, malformed, or wider than what was granted. RFC 6749 §5.2."""

    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """The resource is not one of ours, or not the one that was granted. RFC 8707 §2."""

    code = "invalid_target"


class AccessDenied(OAuthError):
    """The user said no. OAuth 2.1 §4.1.2.1."""

    code = "access_denied"


class LoginRequired(OAuthError):
    """Nobody is signed in, and the client forbade to ask. OpenID Connect Core 1.0 §3.1.2.6."""

    code = "login_required"


class ConsentRequired(OAuthError):
    """The user would have to agree, unasked. OpenID Connect Core 1.0 §3.1.2.6."""

    code = "consent_required"


class RequestNotSupported(OAuthError):
    """Request objects are not read here. OpenID Connect Core 1.0 §6."""

    code = "request_not_supported"


class RequestUriNotSupported(OAuthError):
    """Nor are request objects fetched. OpenID Connect Core 1.0 §6."""

    code = "request_uri_not_supported"


class AuthorizationPending(OAuthError):
    """The user of the device has not decided yet. RFC 8628 §3.5."""

    code = "authorization_pending"


class SlowDown(OAuthError):
    """The device asks too often. RFC 8628 §3.5."""

    code = "slow_down"


class ExpiredToken(OAuthError):
    """The device_code is over; the device has to begin anew. RFC 8628 §3.5."""

    code = "expired_token"


class InvalidDpopProof(OAuthError):
    """The proof of possession is missing, or proves nothing here. RFC 9449 §5, §7.1."""

    code = "invalid_dpop_proof"


class UseDpopNonce(OAuthError):
    """The proof has to carry the nonce that this answer brings. RFC 9449 §8, §9."""

    code = "use_dpop_nonce"


class InvalidRedirectUri(OAuthError):
    """A redirect_uri may not be registered. RFC 7591 §3.2.2."""

    code = "invalid_redirect_uri"


class InvalidClientMetadata(OAuthError):
    """Another member of a registration is not acceptable. RFC 7591 §3.2.2."""

    code = "invalid_client_metadata"


class InvalidToken(OAuthError):
    """The token that this takes is missing, or another one. RFC 6750 §3.1."""

    code = "invalid_token"
    http_status = 401


class InvalidSoftwareStatement(OAuthError):
    """A software statement that nobody here can verify. RFC 7591 §3.2.2."""

    code = "invalid_software_statement"


class ServerError(OAuthError):
    """Something is wrong here, or behind us, that nobody can mend who asks. OAuth 2.1 §4.1.2.1."""

    code = "server_error"
    http_status = 500


class TemporarilyUnavailable(OAuthError):
    """Nothing was changed; the same request may be sent again later. OAuth 2.1 §4.1.2.1."""

    code = "temporarily_unavailable"
    http_status = 503


def render(error: OAuthError) -> Answer:
    """The error as JSON. RFC 6749 §5.2: 400, or 401 for invalid_client."""
    body = {"error": error.code, "error_description": error.description}
    return json_answer(error.status, body, NO_STORE, *error.fields)
