"""What a list of skills promises, and what is read."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from catshop.client.errors import NotMcp
from catshop.client.skills import File, Skill, Tampered, contents, read_entry, verify

URI, OTHER = "skill://purring/SKILL.md", "skill://purring/FORMS.md"
DOCUMENT = b"---\nname: purring\ndescription: How to purr\nmetadata: {loud: true}\n---\n# Purr\n"
FRONTMATTER = {"name": "purring", "description": "How to purr", "metadata": {"loud": True}}


def file(uri: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"uri": uri, "digest": digest, "size": len(content)}


def entry(**members: object) -> dict[str, object]:
    resources = [file(URI, DOCUMENT), file(OTHER, b"x")]
    return {"uri": URI, "frontmatter": FRONTMATTER, "resources": resources, **members}


def test_an_entry_is_read_into_what_it_promises() -> None:
    """MCP 2026-07-28 extensions/skills §skill-entries."""
    skill = read_entry(entry())
    assert (skill.uri, skill.name, skill.description) == (URI, "purring", "How to purr")
    assert skill.files is not None
    assert skill.files[OTHER] == File(**file(OTHER, b"x"))
    assert read_entry(entry(resources="dynamic")).files is None


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("text", id="no-object"),
        pytest.param(entry(uri=7), id="no-uri"),
        pytest.param(entry(frontmatter="x"), id="no-frontmatter"),
        pytest.param(entry(resources={}), id="no-resources"),
        pytest.param(entry(resources=[{"uri": URI}]), id="no-digest"),
        pytest.param(entry(resources=[{**file(URI, b""), "size": -1}]), id="negative"),
    ],
)
def test_an_entry_that_promises_nothing_is_none(bad: object) -> None:
    """MCP 2026-07-28 extensions/skills §skill-entries."""
    with pytest.raises(NotMcp, match="E-SERVER-05"):
        read_entry(bad)


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param([file(f"skill://a/{n}", b"") for n in range(513)], id="files"),
        pytest.param([{**file(URI, b""), "size": 16 * 1024 * 1024 + 1}], id="octets"),
    ],
)
def test_a_skill_larger_than_every_host_accepts_is_refused(resources: list[object]) -> None:
    """MCP 2026-07-28 extensions/skills §limits."""
    with pytest.raises(NotMcp, match="E-VERIFY-04"):
        read_entry(entry(resources=resources))


def test_the_contents_are_those_of_the_uri_that_was_asked_for() -> None:
    """MCP 2026-07-28 extensions/skills §reading-skill-content."""
    blob = base64.b64encode(b"\xff").decode()
    both = {"contents": [{"uri": URI, "text": "é"}, {"uri": OTHER, "blob": blob}]}
    assert contents(URI, both) == "é".encode()
    assert contents(OTHER, both) == b"\xff"
    for bad in ({}, {"contents": []}, {"contents": [{"uri": OTHER, "blob": "?"}]}):
        with pytest.raises(NotMcp, match="E-SERVER-05"):
            contents(OTHER, bad)


def test_what_was_promised_is_good() -> None:
    """MCP 2026-07-28 extensions/skills §verification-on-read, §frontmatter-verification."""
    skill = read_entry(entry())
    verify(skill, URI, DOCUMENT)
    verify(skill, OTHER, b"x")
    verify(Skill(URI, FRONTMATTER, None), OTHER, b"made up as it goes")


@pytest.mark.parametrize(
    ("uri", "content", "code"),
    [
        pytest.param(OTHER, b"xx", "E-VERIFY-01", id="longer"),
        pytest.param(OTHER, b"", "E-VERIFY-01", id="shorter"),
        pytest.param("skill://purring/NEW.md", b"x", "E-VERIFY-01", id="not-listed"),
        pytest.param(OTHER, b"y", "E-VERIFY-02", id="of-the-same-length"),
        pytest.param(URI, DOCUMENT.replace(b"How", b"Why"), "E-VERIFY-02", id="document"),
    ],
)
def test_other_octets_than_were_promised_are_tampering(uri: str, content: bytes, code: str) -> None:
    """MCP 2026-07-28 extensions/skills §verification-on-read."""
    with pytest.raises(Tampered, match=code):
        verify(read_entry(entry()), uri, content)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(DOCUMENT.replace(b"How", b"Why"), id="another-description"),
        pytest.param(DOCUMENT.replace(b"true", b"1"), id="one-is-not-true"),
        pytest.param(b"# no head\n", id="no-frontmatter"),
    ],
)
def test_a_document_that_says_another_thing_than_its_entry_is_tampering(document: bytes) -> None:
    """MCP 2026-07-28 extensions/skills §frontmatter-verification: whatever the digest says."""
    for files in ([file(URI, document)], "dynamic"):
        with pytest.raises(Tampered, match="E-VERIFY-03"):
            verify(read_entry(entry(resources=files)), URI, document)
