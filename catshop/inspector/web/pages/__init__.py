"""What the inspector shows: templates, one stylesheet, one script, and one policy for them all.

A page is a name and a model. The same model is the page's JSON, so the two can never tell different
things. Everything is escaped: names of products, of clients and of users are whatever somebody
chose. The browser may load nothing that is not ours, and keeps nothing.
Next: `catshop/inspector/web/desk.py`. Content Security Policy Level 3 §6.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from importlib import resources
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from catshop.catalogue.citations import Piece, pieces
from catshop.protocol.http1.messages import NO_STORE, Answer

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)

FIELDS: Final = (
    NO_STORE,
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)
"""What every answer of the inspector says."""

FILES: Final = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
}
"""What a page loads, and what that is."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its template, what it shows, and with which status it is answered."""

    template: str
    title: str
    model: Mapping[str, object]
    status: int = 200


def cited(text: str) -> Markup:
    """A text whose citations lead to where they are published; nobody goes there by himself."""
    return Markup().join(map(_linked, pieces(text)))


def _linked(piece: Piece) -> str | Markup:
    link = Markup('<a href="{}" rel="external noreferrer">{}</a>')
    return link.format(piece.address, piece.text) if piece.address else piece.text


def _environment() -> Environment:
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".html"))
    loader = DictLoader({file.name: file.read_text("utf-8") for file in files})
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["cited"] = cited
    return made


ENVIRONMENT: Final = _environment()


def octets(name: str) -> bytes:
    """One of `FILES`."""
    return resources.files(__package__).joinpath(name).read_bytes()


VERSION: Final = hashlib.sha256(b"".join(map(octets, FILES))).hexdigest()[:12]
"""Changes with the files, so that a browser never mixes two versions."""


def file(name: str) -> Answer:
    """The stylesheet or the script."""
    return Answer(200, (("content-type", FILES[name]), *FIELDS), octets(name))


def html(page: Page, around: Mapping[str, object]) -> Answer:
    """The page for a person."""
    template = ENVIRONMENT.get_template(page.template)
    text = template.render(title=page.title, version=VERSION, **around, **page.model)
    fields = (("content-type", "text/html; charset=utf-8"), *FIELDS)
    return Answer(page.status, fields, text.encode("utf-8", "backslashreplace"))


def document(page: Page) -> Answer:
    """The same page for a program."""
    text = json.dumps(page.model, default=plain, ensure_ascii=False, indent=1)
    octets = text.encode("utf-8", "backslashreplace")
    return Answer(page.status, (("content-type", "application/json"), *FIELDS), octets)


def plain(value: object) -> object:
    """A value of ours as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, frozenset) else str(value)


Model = dict[str, Any]
"""What a template is given."""
