"""Nothing secret is ever shown, and yet one can see that two secrets are the same.

A secret becomes a mark such as ‹7f3a1c›: the start of a keyed hash, whose key is an argument and
dies with the process, so that a mark tells nothing to whoever keeps the output. What is not
understood is not shown: of a body that is neither JSON nor a form only the size remains. Checks
see the real bytes, only printing passes through here: redact last. Pure. Next: `printer.py`.
RFC 6750 §5.3.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_plus

from catshop.kernel import Secret

SECRET_NAMES: Final = frozenset({
    "access_token", "actor_token", "assertion", "client_assertion", "client_secret", "code",
    "code_verifier", "cookie", "csrf", "csrf_token", "device_code", "dpop", "id_token",
    "mcp_session_id",
    "new_password", "password", "refresh_token", "registration_access_token", "req", "secret",
    "session_id", "sessionid", "set_cookie", "subject_token", "token", "user_code",
})  # fmt: skip
"""Parameters and JSON members whose text is secret, wherever they stand."""

KEY_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of secret keys, in any object with a `kty`. RFC 7518 §6.2.2, §6.3.2, §6.4."""

LAYERS: Final = 3
"""Percent-encodings within each other that are looked through; what lies deeper is not shown."""

MARK: Final = re.compile(r"‹[0-9a-f]{6}›")
"""What a secret looks like once it is hidden."""

_NAMES: Final = "|".join(sorted(SECRET_NAMES, key=len, reverse=True))
_SCHEMES: Final = re.compile(r"\b(Bearer|DPoP|Basic)(\s+)([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"(?<![\w-])({_NAMES})(=)([^&;\s\"'<>#]+)", re.IGNORECASE)
_IN_JSON: Final = re.compile(rf'("(?:{_NAMES})"\s*:\s*)(")((?:[^"\\]|\\.)*)', re.IGNORECASE)
_SESSION: Final = re.compile(r"(mcp-session-id)([:=]\s*)([!-~]+)", re.IGNORECASE)
_IN_KEY: Final = re.compile(r'("(?:d[pq]?|p|qi?|k|r|t)"\s*:\s*)(")((?:[^"\\]|\\.)*)')
_ENCODED: Final = re.compile(r"(?<==)[^=&;\s\"'<>#]*%[^=&;\s\"'<>#]*")
_OURS: Final = re.compile(r"cat_(?:at|rt|ac|dc|cs|ra)_[A-Za-z0-9_.-]{8,}")
"""What this server issues can be told by its shape: tokens, codes, and secrets of clients."""
_OUR_CODE: Final = re.compile(r"[EW]-[A-Z]+-\d+")


class Redactor:
    """Turns whatever an event carries into text that may be shown to anybody."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mark(self, secret: str) -> str:
        """The mark of a secret: the same for the same secret, as long as the key lives."""
        digest = hmac.digest(self._key, secret.encode("utf-8", "surrogatepass"), "sha256")
        return f"‹{digest.hex()[:6]}›"

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

    def body(self, content_type: str, body: bytes) -> str:
        """A message body: JSON and forms with their secrets hidden, of all else only the size."""
        kind = content_type.partition(";")[0].strip().lower()
        try:
            if kind == "application/x-www-form-urlencoded":
                return self.form(body.decode("utf-8"))
            if kind == "application/json" or kind.endswith("+json"):
                return json.dumps(self.document(json.loads(body)), ensure_ascii=False)
            if kind == "text/event-stream":
                return " ".join(map(self._event_line, body.decode("utf-8").splitlines()))
        except (ValueError, RecursionError):
            return f"{len(body)} octets that are not {kind}"
        return f"{len(body)} octets of {self.text(kind) or 'no declared type'}"

    def _event_line(self, line: str) -> str:
        """One line of a server-sent event; what is JSON in it, member by member."""
        name, colon, data = line.partition(": ")
        if name != "data" or not data.startswith("{"):
            return self.text(line)
        return name + colon + json.dumps(self.document(json.loads(data)), ensure_ascii=False)

    def form(self, text: str) -> str:
        """Form parameters or a query, each name decoded before it is judged."""
        return "&".join(map(self._parameter, text.split("&")))

    def target(self, target: str) -> str:
        """A request target, or a URL: path and parameters."""
        path, mark, query = target.partition("?")
        return self.ours(path) + mark + self.form(query)

    def document(self, value: object, name: str = "") -> object:
        """A JSON document: its secret members, at any depth, and what its texts hold."""
        if isinstance(value, Mapping):
            hidden = KEY_MEMBERS if "kty" in value else frozenset()
            return {
                self.ours(str(k)): self._whole(inner)
                if k in hidden
                else self.document(inner, str(k))
                for k, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.document(inner, name) for inner in value]
        if isinstance(value, Secret | str):
            return self.value(name, value)
        return value

    def text(self, text: str) -> str:
        """Free text: credentials after their scheme, parameters and members after their names."""
        return self._within(text, LAYERS)

    def _within(self, text: str, layers: int) -> str:
        text = _ENCODED.sub(lambda found: self._encoded(found[0], layers), text)
        keys = (_IN_KEY,) if '"kty"' in text else ()
        for pattern in (_SCHEMES, _IN_QUERY, _IN_JSON, _SESSION, *keys):
            text = pattern.sub(lambda found: found[1] + found[2] + self._once(found[3]), text)
        return self.ours(text)

    def _encoded(self, value: str, layers: int) -> str:
        """A parameter that may hold another address: as it came, unless a secret is in there."""
        plain = unquote_plus(value)
        if plain == value:
            return value
        if not layers:
            return self.mark(value)
        hidden = self._within(plain, layers - 1)
        if hidden == plain:
            return value
        parts = re.split(f"({MARK.pattern})", hidden)
        return "".join(each if MARK.fullmatch(each) else quote(each, safe="") for each in parts)

    def ours(self, text: str) -> str:
        """Any text, without what this server has issued, whatever it stands in."""
        return _OURS.sub(lambda found: self.mark(found[0]), text)

    def _whole(self, value: object) -> str:
        """A member that is secret whatever it holds."""
        return self.mark(
            value if isinstance(value, str) else json.dumps(value, default=self._other)
        )

    def _once(self, found: str) -> str:
        return found if MARK.fullmatch(found) or _OUR_CODE.fullmatch(found) else self.mark(found)

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


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey; a client must not write on our screen."""
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _is_secret(name: str, value: object) -> bool:
    """Whether the value called `name` must be hidden: numbers and our own E- codes need not be."""
    normal = name.strip().lower().replace("-", "_")
    return (
        normal in SECRET_NAMES
        and isinstance(value, str)
        and value != ""
        and not _OUR_CODE.fullmatch(value)
    )
