"""Nothing secret is ever shown, and yet one can see that two secrets are the same.

A secret becomes a mark such as ‹7f3a1c›: the start of a keyed hash, whose key is an argument and
dies with the process, so that a mark tells nothing to whoever keeps the output. Checks
see the real bytes, only printing passes through here: redact last. A secret that was seen once is
known again, wherever it comes back. Pure, but for that memory. Next: `exact.py`. RFC 6750 §5.3.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from threading import Lock
from typing import Final
from urllib.parse import quote, unquote_plus

from catshop.kernel import SHAPE, Secret

SECRET_NAMES: Final = frozenset({
    "access_token", "actor_token", "api_key", "apikey", "api_token", "app_secret", "assertion",
    "auth_req_id", "auth_token", "authorization", "authorization_code", "client_assertion",
    "client_secret", "code", "code_verifier", "cookie", "csrf", "csrf_token", "current_password",
    "device_code", "dpop", "id_token", "id_token_hint", "initial_access_token", "jwt",
    "logout_token", "mcp_session_id", "new_password", "otp", "passphrase", "passwd", "password",
    "password_confirmation", "pin", "private_key", "private_token", "proxy_authorization", "pwd",
    "refresh_token", "registration_access_token", "req", "secret", "secret_key", "security_token",
    "session_id", "session_token", "sessionid", "set_cookie", "software_statement",
    "subject_token", "token", "user_code", "x_access_token", "x_amz_security_token", "x_api_key",
    "x_auth_token", "x_csrf_token", "x_xsrf_token", "xsrf_token",
})  # fmt: skip
"""Parameters, members and fields whose text is secret, wherever they stand; `apiKey`, too."""

WHOLLY: Final = SECRET_NAMES - {"code", "token", "req", "jwt", "authorization", "cookie", "pin"}
"""Those whose value is secret even if it is a number: the `code` of JSON-RPC is none."""

KEY_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of secret keys, in any object with a `kty`. RFC 7518 §6.2.2, §6.3.2, §6.4."""

LAYERS: Final = 3
"""Percent-encodings within each other that are looked through; what lies deeper is not shown."""

MARK: Final = re.compile(r"‹[0-9a-f]{6}›")
"""What a secret looks like once it is hidden."""

REMEMBERED: Final = 256
"""Secrets that are known again where nothing says that they are any; the oldest is forgotten."""

_SPELLED: Final = SECRET_NAMES | {name.replace("_", "") for name in SECRET_NAMES}
_NAMES: Final = "|".join(sorted(_SPELLED, key=len, reverse=True)).replace("_", "[_-]")
SHORTEST: Final = 16
"""Characters of a secret that is known again."""
_WORD: Final = re.compile(rf"[\w.~+-]{{{SHORTEST},}}")
"""What a secret that comes again looks like."""
_COMMON: Final = re.compile(r"[a-z_]*")
"""A name of the field: no secret, even where somebody has sent it as one."""
_SCHEMES: Final = re.compile(r"\b(Bearer|DPoP|Basic)(\s+)([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"(?<![\w-])({_NAMES})(=)([^&;\s\"'<>#]+)", re.IGNORECASE)
_IN_JSON: Final = re.compile(rf'("(?:{_NAMES})"\s*:\s*)(")((?:[^"\\]|\\.)*)', re.IGNORECASE)
_LABELLED: Final = re.compile(
    r"((?:password|passwd|passphrase|secret|api[_-]?key|private[_-]?key))(:\s+)([^\s\"',;]+)",
    re.IGNORECASE,
)
"""Of a text for people only these are taken at their word: `a token: where to get it` is none."""
_USER: Final = re.compile(r"(//[^/\s:@]*)(:)([^/\s@]+)(?=@)")
"""The password of a URL. RFC 3986 §3.2.1."""
_SESSION: Final = re.compile(r"(mcp-session-id)([:=]\s*)([!-~]+)", re.IGNORECASE)
_IN_KEY: Final = re.compile(r'("(?:d[pq]?|p|qi?|k|r|t)"\s*:\s*)(")((?:[^"\\]|\\.)*)')
_ENCODED: Final = re.compile(r"(?<==)[^=&;\s\"'<>#]*%[^=&;\s\"'<>#]*")
_PAIR: Final = re.compile(r"[^&?;#\s\"'<>]+")
_SHAPED: Final = re.compile(
    rf"{SHAPE.pattern}|\beyJ[\w-]{{10,}}\.[\w-]{{10,}}\.[\w-]*", re.ASCII | re.IGNORECASE
)
"""What can be told by its shape: what this server issues, and signed tokens of anybody."""
_PATTERNS: Final = (
    ("//", _USER),
    ("", _SCHEMES),
    ("=", _IN_QUERY),
    ('"', _IN_JSON),
    (":", _LABELLED),
    ("-", _SESSION),
    ('"kty"', _IN_KEY),
)
"""Each with a sign without which it finds nothing: most texts have none of them."""
_OUR_CODE: Final = re.compile(r"[EW]-[A-Z]+-\d+")


class Redactor:
    """Turns whatever an event carries into text that may be shown to anybody."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def mark(self, secret: str) -> str:
        """The mark of a secret: the same for the same secret, as long as the key lives."""
        if _WORD.fullmatch(secret) and not _COMMON.fullmatch(secret):
            self._remember(secret)
        digest = hmac.digest(self._key, secret.encode("utf-8", "surrogatepass"), "sha256")
        return f"‹{digest.hex()[:6]}›"

    def _remember(self, secret: str) -> None:
        with self._lock:
            self._known[secret] = None
            self._known.move_to_end(secret)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def value(self, name: str, value: object) -> str:
        """Any field of an event."""
        if isinstance(value, Secret):
            return self.mark(value.reveal())
        if _is_secret(name, value):
            return self.mark(str(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return f"{len(value)} octets"
        if isinstance(value, Mapping | list | tuple):
            return json.dumps(self.document(value), ensure_ascii=False, default=self._other)
        return self.text(str(value))

    def header(self, name: str, field: Secret | str) -> str:
        """The value of one header field: as much of it as tells no secret."""
        value = field.reveal() if isinstance(field, Secret) else field
        match name.lower():
            case "authorization" | "proxy-authorization":
                scheme, space, credentials = value.partition(" ")
                self._learn(scheme, credentials)
                return f"{scheme} {self.mark(credentials)}" if space else self.mark(value)
            case "www-authenticate" | "proxy-authenticate":
                scheme, space, parameters = value.partition(" ")
                return scheme + space + self.text(parameters)
            case "cookie":
                return "; ".join(map(self._cookie, value.split("; ")))
            case "set-cookie":
                cookie, semicolon, attributes = value.partition(";")
                return self._cookie(cookie) + semicolon + attributes
            case other:
                return self.value(other, field)

    def _learn(self, scheme: str, credentials: str) -> None:
        """The password within Basic credentials, in case it comes again. RFC 7617 §2."""
        if scheme.lower() != "basic":
            return
        with suppress(ValueError):
            pair = base64.b64decode(credentials, validate=True).decode("utf-8")
            self.mark(unquote_plus(pair.partition(":")[2]))

    def form(self, text: str) -> str:
        """Form parameters or a query, each name decoded before it is judged."""
        return "&".join(map(self._parameter, text.split("&")))

    def target(self, target: str) -> str:
        """A request target, or a URL: path and parameters."""
        path, mark, query = target.partition("?")
        return self._encoded(path, LAYERS) + mark + self.form(query)

    def document(self, value: object, name: str = "", layers: int = LAYERS) -> object:
        """A JSON document: its secret members, at any depth, and what its texts hold."""
        if isinstance(value, Mapping):
            hidden = KEY_MEMBERS if "kty" in value else frozenset()
            return {
                self.ours(str(k)): self._whole(inner)
                if k in hidden or _is_whole(str(k), inner)
                else self.document(inner, str(k), layers)
                for k, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.document(inner, name, layers) for inner in value]
        if isinstance(value, str) and layers and value.lstrip().startswith(("{", "[")):
            return self._nested(name, value, layers - 1)
        if isinstance(value, Secret | str):
            return self.value(name, value)
        return value

    def _nested(self, name: str, text: str, layers: int) -> str:
        """A text that is a document itself: like any text, unless a member of it is secret."""
        try:
            found = parsed(text)
        except (ValueError, RecursionError):
            return self.value(name, text)
        shown = self.document(found, name, layers)
        return self.value(name, text) if shown == found else json.dumps(shown, ensure_ascii=False)

    def text(self, text: str) -> str:
        """Free text: credentials after their scheme, parameters and members after their names."""
        return self._within(text, LAYERS)

    def _within(self, text: str, layers: int) -> str:
        if "%" in text:
            text = _ENCODED.sub(lambda found: self._encoded(found[0], layers), text)
            text = _PAIR.sub(self._pair, text)
        for sign, pattern in _PATTERNS:
            if sign in text:
                text = pattern.sub(self._credentials, text)
        return self.ours(text)

    def _credentials(self, found: re.Match[str]) -> str:
        return found[1] + found[2] + self._once(found[3])

    def _pair(self, found: re.Match[str]) -> str:
        """A parameter whose name is encoded, too."""
        name, equals, value = found[0].partition("=")
        odd = "%" in name and _is_secret(unquote_plus(name), value)
        return f"{name}={self._once(value)}" if odd and equals else found[0]

    def _encoded(self, value: str, layers: int) -> str:
        """A path or a parameter, decoded before it is judged; as it came if nothing is secret."""
        plain = unquote_plus(value)
        if plain == value:
            return self._within(value, 0) if layers else value
        if not layers:
            return self.mark(value)
        hidden = self._within(plain, layers - 1)
        if hidden == plain:
            return value
        parts = re.split(f"({MARK.pattern})", hidden)
        return "".join(each if MARK.fullmatch(each) else quote(each, safe="") for each in parts)

    def ours(self, text: str) -> str:
        """Any text, without what has a shape of a secret, or was one before."""
        if "_" in text or "%5" in text or "." in text:
            text = _SHAPED.sub(lambda found: self.mark(found[0]), text)
        return _WORD.sub(self._again, text) if self._known and len(text) >= SHORTEST else text

    def _again(self, found: re.Match[str]) -> str:
        word = found[0].rstrip(".")
        return self.mark(word) + found[0][len(word) :] if word in self._known else found[0]

    def _whole(self, value: object) -> str:
        """A member that is secret whatever it holds."""
        return self.mark(
            value if isinstance(value, str) else json.dumps(value, default=self._other)
        )

    def _once(self, found: str) -> str:
        """A mark, unless it is one or a code of ours; decoded, so that there is one for both."""
        if MARK.fullmatch(found) or _OUR_CODE.fullmatch(found):
            return found
        return self.mark(unquote_plus(found) if "%" in found else found)

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        if _is_secret(unquote_plus(name), value):
            return f"{self.ours(name)}{equals}{self.mark(unquote_plus(value))}"
        return self.text(pair)

    def _cookie(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return f"{name}={self.mark(value)}" if equals else self.mark(pair)

    def _other(self, value: object) -> str:
        return self.value("", value)


def parsed(text: str) -> object:
    """A JSON text. ValueError if it is none, or if a name stands twice: each could count."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey; a client must not write on our screen."""
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=1024)
def _normal(name: str) -> str:
    """A name as the table has it: `apiKey`, `Api-Key` and `keys[api_key]` are `api_key`."""
    last = name.strip().rstrip("]").rpartition("[")[2] or name.strip().partition("[")[0]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower().replace("-", "_")


def _is_whole(name: str, value: object) -> bool:
    """Whether a value that is no text, or holds others, is secret because of its name."""
    deep = isinstance(value, Mapping | int | float) and not isinstance(value, bool)
    return deep and _normal(name) in WHOLLY


def _is_secret(name: str, value: object) -> bool:
    """Whether the value called `name` must be hidden: numbers and our own E- codes need not be."""
    return (
        _normal(name) in _SPELLED
        and isinstance(value, str)
        and value != ""
        and not _OUR_CODE.fullmatch(value)
    )
