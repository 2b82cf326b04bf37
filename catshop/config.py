"""Every setting, from wherever it was said: flags, then environment, then a file, then defaults.

One frozen `Config` comes out, and each of its values knows its origin, so that `catshop config` can
answer the question that every operator asks. Settings and numbers are the fields of dataclasses,
and everything else (environment name, TOML key, documentation, conversion) is derived from the
field: a new number in `limits.py` is a setting without a line here. A name that nobody knows is an
error, never silence. Pure but for `from_process`, which reads the file. Next: `catshop/limits.py`.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, get_type_hints
from urllib.parse import urlsplit

from catshop.conversions import CONVERTERS, Backend, Era, SigningAlgorithm, TokenFormat, bounded
from catshop.limits import Limits

DEFAULT: Final = "default"
"""The origin of a value that nobody set."""

SYSTEM_NAMES: Final = {"HOST": "host", "PORT": "port", "ISSUER_URL": "issuer"}
"""Plain environment names that work too; the `CATSHOP_` name of the same setting wins."""

NOT_SETTINGS: Final = frozenset(
    {"CATSHOP_CONFIG", "CATSHOP_USER", "CATSHOP_SCOPE", "CATSHOP_TOKEN"}
)
"""`CATSHOP_` names that say who calls or where the file is, not how the shop runs."""


class ConfigError(Exception):
    """A setting that cannot be meant; the message names the setting, its source and the remedy."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value as `catshop config` shows it. `origin` is a flag, a variable, a file and line."""

    name: str
    value: object
    origin: str
    doc: str

    @property
    def variable(self) -> str:
        """The environment name that sets it."""
        return variable(self.name)


@dataclass(frozen=True, slots=True)
class Config:
    """How this shop runs."""

    host: str = "127.0.0.1"
    """The address to listen on; nobody but this machine is served unless another is named."""
    port: int = 8000
    """The port to listen on; 0 takes a free one."""
    issuer: str = ""
    """The URL that clients know the shop by, kept to the letter; follows host and port if unset."""
    database: str = "catshop.db"
    """The file, or the URL, of the database."""
    backend: Backend = Backend.ASYNCIO
    """The event loop: asyncio or trio."""
    era: Era = Era.BOTH
    """The protocol eras to speak: both, modern (2026-07-28) or legacy (with a handshake)."""
    trace: bool = False
    """Print every request as it passes through the planes, secrets hidden."""
    catalog: Path | None = None
    """A JSON file with products that replaces the built-in catalog."""
    signup: bool = True
    """Whether the login page lets people open an account."""
    registration: bool = True
    """Whether clients may register themselves; the others are added with `catshop client add`."""
    logout_revokes: bool = False
    """Whether signing out of the browser ends what the user has granted to applications, too."""
    token_format: TokenFormat = TokenFormat.OPAQUE
    """What access tokens look like: opaque, or jwt, which others can verify with /jwks."""
    token_algorithm: SigningAlgorithm = SigningAlgorithm.EDDSA
    """What a new key signs access tokens with: EdDSA or ES256; `catshop keys rotate` makes one."""
    token_endpoint_audience: bool = False
    """Whether a client's assertion may be for the token endpoint, too, and not the issuer alone."""
    dpop_nonce: bool = False
    """Whether a DPoP proof must carry a nonce of ours; off, one is offered and not asked for."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that Host may carry besides the issuer's and this machine's own."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may call besides the issuer's own."""
    secret_key_file: Path | None = None
    """Where the key for cookies and cursors is kept; unset, beside the database."""
    previous_secret_key_files: tuple[str, ...] = ()
    """Files with keys that signed before: what they signed is still believed, nothing is signed."""
    audit_file: Path | None = None
    """A file to which every process and command appends the audit; unset, it is in the log only."""
    external_issuer: str = ""
    """An issuer whose access tokens are taken beside our own; unset, nobody's."""
    external_audience: str = ""
    """What its tokens call this shop in aud; unset, the URL of the MCP endpoint."""
    assertion_issuers: tuple[str, ...] = ()
    """Issuers whose word for linked users and workloads is taken at the token endpoint."""
    introspection_endpoint: str = ""
    """Where it is asked whether a token is good; unset, its keys decide."""
    introspection_client: str = ""
    """As whom the shop asks there."""
    introspection_secret_file: Path | None = None
    """The file with the secret of that client, and nothing else."""
    upstream_issuer: str = ""
    """An issuer at which users sign in, in place of an account here; unset, here."""
    upstream_client: str = ""
    """As which client the shop is known there; one client, whoever asks here."""
    upstream_secret_file: Path | None = None
    """The file with the secret of that client, and nothing else; unset, it has none."""
    upstream_scopes: tuple[str, ...] = ("openid",)
    """What the shop asks for there; offline_access lets it ask after a user again later."""
    limits: Limits = field(default_factory=Limits)
    """Every number."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """For each setting that was set, where."""

    def settings(self) -> tuple[Setting, ...]:
        """Every setting with its value, where that came from, and what it is for."""
        return tuple(
            Setting(name, value, self.origins.get(name, DEFAULT), doc)
            for name, value, doc in _walk(self)
        )

    def listening_on(self, port: int) -> Config:
        """The same, once the port is known; an issuer that nobody set follows it."""
        moved = replace(self, port=port)
        return moved if "issuer" in self.origins else replace(moved, issuer=default_issuer(moved))

    @property
    def key_file(self) -> Path:
        """Where the secret key is kept."""
        if self.secret_key_file is not None:
            return self.secret_key_file
        return Path("catshop.key" if "://" in self.database else f"{self.database}.key")


def load(
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    text: str = "",
    file: str = "catshop.toml",
) -> Config:
    """The configuration that these sources describe; ConfigError when one cannot be meant.

    `flags` are keyed by setting name, and None means that the flag was not given; `text` is the
    content of the TOML file called `file`.
    """
    found: dict[str, tuple[object, str]] = {}
    for source in (_from_file(text, file), _from_environ(environ or {}), _from_flags(flags or {})):
        found.update(source)
    config = _build(found)
    if "issuer" not in found:
        config = replace(config, issuer=default_issuer(config))
    _refuse_a_bad_issuer(config)
    _refuse_half_a_question(config)
    _refuse_half_an_upstream(config)
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"{config.origins['port']}: port must be 0 to 65535, not {config.port}")
    return config


def from_process(flags: Mapping[str, object], environ: Mapping[str, str]) -> Config:
    """The configuration of this process: the flags may name the file as `config`."""
    named = flags.get("config") or environ.get("CATSHOP_CONFIG")
    path = Path(str(named or "catshop.toml"))
    try:
        text = path.read_text("utf-8") if named or path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    rest = {name: value for name, value in flags.items() if name != "config"}
    return load(flags=rest, environ=environ, text=text, file=str(path))


def variable(name: str) -> str:
    """The environment name of a setting: `http.head_seconds` is CATSHOP_HTTP_HEAD_SECONDS."""
    return "CATSHOP_" + name.replace(".", "_").upper()


def default_issuer(config: Config) -> str:
    """The URL that clients use when nobody said one: the very address that is served.

    Clients compare issuers as strings (RFC 9207 §2.4), so `localhost` and `127.0.0.1` are two
    different shops. An address for everybody has no name of its own; then it is `localhost`.
    """
    wildcard = config.host in {"0.0.0.0", "::", ""}  # noqa: S104  compared with, not bound to
    host = "localhost" if wildcard else config.host
    return f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"


# --- the three sources: each gives setting -> (raw value, origin) --------------------------------

_Found = dict[str, tuple[object, str]]


def _from_file(text: str, file: str) -> _Found:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error
    found: _Found = {}
    for name, value in _flatten(document):
        origin = f"{file}:{_line_of(name, text)}"
        found[_known(name, origin)] = (value, origin)
    return found


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _line_of(name: str, text: str) -> int:
    """Where `name` is set; tomllib does not tell. A layout too clever for this gets line 1."""
    table, _, key = name.rpartition(".")
    here = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            here = header[1]
        elif re.match(rf"\s*{re.escape(key if here == table else name)}\s*=", line):
            return number
    return 1


def _from_environ(environ: Mapping[str, str]) -> _Found:
    by_variable = {variable(name): name for name in _kinds()}
    found: _Found = {}
    for plain, name in SYSTEM_NAMES.items():
        if environ.get(plain):
            found[name] = (environ[plain], plain)
    for key, value in environ.items():
        if key in by_variable:
            found[by_variable[key]] = (value, key)
        elif key.startswith("CATSHOP_") and key not in NOT_SETTINGS:
            raise ConfigError(f"{key} is no setting{_meant(key, by_variable)}")
    return found


def _from_flags(flags: Mapping[str, object]) -> _Found:
    given = {name: value for name, value in flags.items() if value is not None}
    return {
        _known(name, _flag(name)): (str(value) if isinstance(value, Path) else value, _flag(name))
        for name, value in given.items()
    }


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _known(name: str, origin: str) -> str:
    if name not in _kinds():
        raise ConfigError(f"{origin}: {name} is no setting{_meant(name, _kinds())}")
    return name


def _meant(name: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else "; `catshop config` lists them all"


# --- from raw values to a Config -----------------------------------------------------------------


def _build(found: _Found) -> Config:
    values = {name: _convert(name, raw, origin) for name, (raw, origin) in found.items()}
    groups: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    for name, value in values.items():
        group, _, key = name.rpartition(".")
        (groups.setdefault(group, {}) if group else own)[key] = value
    limits = Limits()
    for group, changes in groups.items():
        limits = replace(limits, **{group: replace(getattr(limits, group), **changes)})
    origins = {name: origin for name, (_, origin) in found.items()}
    return replace(Config(), **own, limits=limits, origins=origins)


def _convert(name: str, raw: object, origin: str) -> object:
    convert, wanted = CONVERTERS[_kinds()[name]]
    try:
        value = convert(raw)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise ConfigError(f"{origin}: {name} must be {wanted}, not {raw!r}") from None
    if "." in name and isinstance(value, int | float) and (bound := bounded(name, value)):
        raise ConfigError(f"{origin}: {name} must be {bound}, not {raw!r}")
    return value


def _refuse_a_bad_issuer(config: Config) -> None:
    """An issuer is an https URL without query, fragment or closing slash. RFC 8414 §2.

    Deviates: on this machine's own addresses http is enough, as OAuth 2.1 §1.5 allows a redirect.
    """
    issuer, url = config.issuer, urlsplit(config.issuer)
    if re.search(r"[^!-~]", issuer) or not url.hostname or {"?", "#", "@"} & set(issuer):
        problem = "must be a URL with a host, and without user, query and fragment"
    elif issuer.endswith("/"):
        problem = (
            f"must not end in a slash: clients compare each letter; write {issuer.rstrip('/')}"
        )
    elif url.scheme == "http" and not _is_loopback(url.hostname):
        problem = "must be https unless it is this machine's own address; say which one clients use"
    elif url.scheme not in {"http", "https"}:
        problem = "must begin with https://"
    else:
        return
    origin = config.origins.get("issuer") or config.origins.get("host", DEFAULT)
    raise ConfigError(f"{origin}: issuer {issuer} {problem}")


def _refuse_half_a_question(config: Config) -> None:
    """Who asks an issuer about tokens needs to know whom, where, and as whom. RFC 7662 §2.1."""
    names = ("introspection_endpoint", "introspection_client", "introspection_secret_file")
    unset = [name for name in (*names, "external_issuer") if not getattr(config, name)]
    if unset and not set(names) <= set(unset):
        named = next(name for name in names if name not in unset)
        raise ConfigError(f"{config.origins[named]}: {named} needs {' and '.join(unset)}, too")


def _refuse_half_an_upstream(config: Config) -> None:
    """Users sign in there as through one client of ours, and its tokens open nothing here."""
    needed = ("upstream_issuer", "upstream_client")
    named = [name for name in (*needed, "upstream_secret_file") if name in config.origins]
    unset = [name for name in needed if not getattr(config, name)]
    if named and unset:
        origin = config.origins[named[0]]
        raise ConfigError(f"{origin}: {named[0]} needs {' and '.join(unset)}, too")
    if named and config.upstream_issuer == config.external_issuer:
        origin = config.origins["upstream_issuer"]
        raise ConfigError(
            f"{origin}: tokens of upstream_issuer are taken from nobody; "
            "external_issuer must be another one"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


# --- what the dataclasses say about themselves ---------------------------------------------------


@cache
def _kinds() -> dict[str, Any]:
    """The type of every setting, by name."""
    return {name: kind for name, kind, _ in _declared(Config)}


def _declared(kind: type, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every setting below a dataclass: name, type, and the text under its declaration."""
    hints, docs = get_type_hints(kind), _docs(kind)
    for each in fields(kind):
        if is_dataclass(hints[each.name]):
            inner = "" if kind is Config else f"{prefix}{each.name}."
            yield from _declared(hints[each.name], inner)
        elif each.name != "origins":
            yield prefix + each.name, hints[each.name], docs[each.name]


def _walk(config: Config) -> Iterator[tuple[str, object, str]]:
    for name, _, doc in _declared(Config):
        group, _, key = name.rpartition(".")
        yield name, getattr(getattr(config.limits, group) if group else config, key), doc


@cache
def _docs(kind: type) -> dict[str, str]:
    """The string below each field of a dataclass, which Python itself forgets."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]  # a class
    return {
        above.target.id: str(below.value.value)
        for above, below in pairwise(body)
        if isinstance(above, ast.AnnAssign)
        and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }
