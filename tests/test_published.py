"""Where citations lead: to the section that they name, in the specification that they name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from catshop.catalogue import catalogue
from catshop.catalogue.citations import addresses, pieces
from catshop.inspector.annotations import reasons
from catshop.inspector.web.pages import cited
from catshop.lab.faults import FAULTS
from tests.test_citations import cited as code_cites

OURS = ("docs/", "catshop/", "Numbered migrations: catshop/", "open(2) ")
"""Where a sentence may stand that no specification says."""


def sections() -> Iterator[tuple[str, str]]:
    """Whatever cites, and what it cites."""
    yield from ((each.code, each.section) for each in catalogue().values())
    yield from ((each.name, each.section) for each in FAULTS.values())
    yield from ((name, each.section) for name, each in reasons().items())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("RFC 7636 §4.6", "https://www.rfc-editor.org/rfc/rfc7636#section-4.6"),
        ("RFC 7636 section 4.6", "https://www.rfc-editor.org/rfc/rfc7636#section-4.6"),
        ("RFC 7636", "https://www.rfc-editor.org/rfc/rfc7636"),
        ("RFC 6749 Appendix B", "https://www.rfc-editor.org/rfc/rfc6749#appendix-B"),
        (
            "OAuth 2.1 section 4.1.2.1",
            "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1-13#section-4.1.2.1",
        ),
        (
            "MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers",
            "https://modelcontextprotocol.io/specification/2026-07-28"
            "/basic/transports/streamable-http#standard-request-headers",
        ),
        (
            "MCP 2025-11-25 tutorials/security/security_best_practices section session-hijacking",
            "https://modelcontextprotocol.io/docs/2025-11-25"
            "/tutorials/security/security_best_practices#session-hijacking",
        ),
        (
            "MCP 2026-07-28 extensions/tasks section task-creation",
            "https://github.com/modelcontextprotocol/ext-tasks"
            "/blob/main/specification/2026-07-28/tasks.md#task-creation",
        ),
        ("JSON-RPC 2.0 section 5.1", "https://www.jsonrpc.org/specification"),
        (
            "OpenID Connect Core 1.0 section 3.1.2.6",
            "https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.3.1.2.6",
        ),
        ("SQLite result code SQLITE_BUSY (5)", "https://www.sqlite.org/rescode.html"),
    ],
)
def test_a_citation_leads_to_its_section(text: str, address: str) -> None:
    assert addresses(text) == (address,)


def test_a_section_alone_belongs_to_the_specification_before_it() -> None:
    text = "RFC 9449 section 5, section 6.1; OAuth 2.1 section 4.2"
    assert [each.address.rpartition("/")[2] for each in pieces(text) if each.address] == [
        "rfc9449#section-5",
        "rfc9449#section-6.1",
        "draft-ietf-oauth-v2-1-13#section-4.2",
    ]
    assert addresses("section 4 of nothing") == ()


def test_a_page_links_citations_and_escapes_everything() -> None:
    shown = cited("<b> RFC 7636 §4.6 & so on")
    assert shown == (
        '&lt;b&gt; <a href="https://www.rfc-editor.org/rfc/rfc7636#section-4.6"'
        ' rel="external noreferrer">RFC 7636 §4.6</a> &amp; so on'
    )


@pytest.mark.parametrize(("name", "section"), list(sections()))
def test_what_is_told_to_somebody_leads_to_the_sentence(name: str, section: str) -> None:
    """Nothing is left over but what stands between citations; our own pages are no citations."""
    found = list(pieces(section))
    assert "".join(each.text for each in found) == section
    if not section.startswith(OURS):
        assert {each.text for each in found if not each.address} <= {", ", "; "}, name


def test_whatever_the_code_cites_is_published_somewhere() -> None:
    assert [each for each in code_cites("catshop") if not addresses(each)] == []
