"""Where a cited sentence stands: `RFC 7636 section 4.6` as an address that a browser opens.

A specification is a line of one table: how it is cited, where it is published, and what it calls
its sections there. A section without a name of a specification belongs to the one before it. What
is no citation stays text. Pure: nothing is fetched; a reader follows a link, or does not.
Next: `page.py`, whose pages lead there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SECTION: Final = r"(?:section |§|Appendix )[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"

DRAFTS: Final = "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-"
MCP: Final = "https://modelcontextprotocol.io/"
EXTENSIONS: Final = "https://github.com/modelcontextprotocol/"

PUBLISHED: Final[tuple[tuple[str, str, str], ...]] = (
    (r"RFC (\d+)", "https://www.rfc-editor.org/rfc/rfc{0}", "section-{0}"),
    (r"OAuth 2\.1", f"{DRAFTS}v2-1-13", "section-{0}"),
    ("Client ID Metadata Document", f"{DRAFTS}client-id-metadata-document-00", "section-{0}"),
    (r"OpenID Connect (Core|Discovery|Registration) 1\.0",
     "https://openid.net/specs/openid-connect-{0}-1_0.html", "rfc.section.{0}"),
    (r"JSON-RPC 2\.0", "https://www.jsonrpc.org/specification", ""),
    ("MCP extension enterprise-managed authorization",
     f"{EXTENSIONS}ext-auth/blob/main/specification/draft/enterprise-managed-authorization.mdx",
     ""),
    ("MCP 2026-07-28 extensions/tasks",
     f"{EXTENSIONS}ext-tasks/blob/main/specification/2026-07-28/tasks.md", "{0}"),
    ("MCP 2026-07-28 extensions/skills",
     f"{EXTENSIONS}ext-skills/blob/main/specification/stable/skills.mdx", "{0}"),
    (r"MCP (\d{4}-\d\d-\d\d) (tutorials/[a-z/_-]+)", MCP + "docs/{0}/{1}", "{0}"),
    (r"MCP (\d{4}-\d\d-\d\d) ([a-z][a-z/_-]*)", MCP + "specification/{0}/{1}", "{0}"),
    ("JSON Schema 2020-12 validation",
     "https://json-schema.org/draft/2020-12/json-schema-validation", "section-{0}"),
    ("Content Security Policy Level 3", "https://www.w3.org/TR/CSP3/", ""),
    ("Fetch", "https://fetch.spec.whatwg.org/", ""),
    ("WHATWG URL", "https://url.spec.whatwg.org/", ""),
    ("NIST SP 800-63B", "https://pages.nist.gov/800-63-3/sp800-63b.html", ""),
    (r"SQLite result code SQLITE_\w+ \(\d+\)", "https://www.sqlite.org/rescode.html", ""),
    ("SQLite PRAGMA application_id",
     "https://www.sqlite.org/pragma.html#pragma_application_id", ""),
)  # fmt: skip
"""How a specification is cited, where it is, and the name of a section there: empty where sections
have no names that follow from their numbers. The first line that fits counts. OAuth 2.1 is the
draft that MCP 2026-07-28 cites."""

CITED: Final = re.compile(
    rf"(?P<document>{'|'.join(cited for cited, _, _ in PUBLISHED)})(?!\w)"
    rf"(?: (?P<within>{SECTION}))?|(?P<alone>{SECTION})"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a text, and where what it cites is published; empty where it cites nothing."""

    text: str
    address: str = ""


def pieces(text: str) -> Iterator[Piece]:
    """The text, whole and in order, its citations apart."""
    end, document = 0, ""
    for found in CITED.finditer(text):
        if found.start() > end:
            yield Piece(text[end : found.start()])
        document = found["document"] or document
        yield Piece(found[0], _address(document, found["within"] or found["alone"] or ""))
        end = found.end()
    if end < len(text):
        yield Piece(text[end:])


def addresses(text: str) -> tuple[str, ...]:
    """Where what a text cites is published, each once."""
    return tuple(dict.fromkeys(each.address for each in pieces(text) if each.address))


def _address(document: str, section: str) -> str:
    for pattern, base, name in PUBLISHED:
        if found := re.fullmatch(pattern, document):
            page = base.format(*map(str.lower, found.groups()))
            return f"{page}#{_named(name, section)}" if name and section else page
    return ""


def _named(name: str, section: str) -> str:
    """What a page calls its section; an appendix is `appendix-B` wherever 4.6 is `section-4.6`."""
    kind, _, number = section.replace("§", "section ").partition(" ")
    return f"appendix-{number}" if kind == "Appendix" else name.format(number)
