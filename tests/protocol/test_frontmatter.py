"""The YAML at the head of a SKILL.md, as both sides have to read it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.protocol.frontmatter import FrontmatterError, parse


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        pytest.param("a: b", "b", id="text"),
        pytest.param("a: 'it''s'", "it's", id="quoted"),
        pytest.param('a: "\\u00e9"', "\u00e9", id="escaped"),
        pytest.param("a: >-\n  one\n  two", "one two", id="folded"),
        pytest.param("a: {b: [1, 2]}", {"b": [1, 2]}, id="nested"),
        pytest.param("a: true", True, id="true"),
        pytest.param("a: on", "on", id="on-is-a-word"),
        pytest.param("a: no", "no", id="no-is-a-word"),
        pytest.param("a: 2026-11-20", "2026-11-20", id="a-date-is-text"),
        pytest.param("a: 12:30", "12:30", id="no-base-60"),
        pytest.param("a: 017", 17, id="no-octal"),
        pytest.param("a: 1.5", 1.5, id="number"),
        pytest.param("a: 1.0.0", "1.0.0", id="a-version-is-text"),
        pytest.param("a:", None, id="nothing"),
        pytest.param("a: ~", None, id="null"),
        pytest.param("a: <<", "<<", id="no-merge"),
    ],
)
def test_a_value_is_what_yaml_1_2_and_json_both_have(yaml: str, value: object) -> None:
    """MCP 2026-07-28 extensions/skills §frontmatter: rendered verbatim as JSON."""
    found = parse(f"---\n{yaml}\n---\n# Text\n".encode())["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("end", ["---", "---\n", "--- \n", "---\nname: not this\n---\n"])
def test_the_frontmatter_ends_at_the_next_line_of_hyphens(end: str) -> None:
    """MCP 2026-07-28 extensions/skills §skill-format."""
    assert parse(f"---\na: b\n{end}".encode()) == {"a": "b"}
    assert parse(f"---\na: b\n{end}".replace("\n", "\r\n").encode()) == {"a": "b"}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"# Text\n", id="no-frontmatter"),
        pytest.param(b"\n---\na: b\n---\n", id="not-at-the-start"),
        pytest.param(b"---\na: b\n", id="no-end"),
        pytest.param(b"---\n- a\n---\n", id="a-list"),
        pytest.param(b"---\na: b\na: c\n---\n", id="a-key-twice"),
        pytest.param(b"---\na: {b: 1, b: 2}\n---\n", id="a-nested-key-twice"),
        pytest.param(b"---\n1: b\n---\n", id="a-key-that-is-a-number"),
        pytest.param(b"---\n? [a]\n: b\n---\n", id="a-key-that-is-a-list"),
        pytest.param(b"---\na: &x [1]\nb: *x\n---\n", id="an-alias"),
        pytest.param(b"---\na: 1e999\n---\n", id="no-number-of-json"),
        pytest.param(b"---\na: !!python/object:os.system x\n---\n", id="an-object"),
        pytest.param(b"---\na: !!binary aGk=\n---\n", id="octets"),
        pytest.param(b"---\na: !!timestamp 2026-11-20\n---\n", id="a-date"),
        pytest.param(b"---\na: b: c\n---\n", id="no-yaml"),
        pytest.param(b"---\na: " + b"[" * 2000 + b"\n---\n", id="too-deep"),
        pytest.param(b'---\na: "\\ud800"\n---\n', id="half-a-character"),
        pytest.param(b"---\na: \xff\n---\n", id="no-utf-8"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(document: bytes) -> None:
    """MCP 2026-07-28 extensions/skills §frontmatter-verification."""
    with pytest.raises(FrontmatterError):
        parse(document)


@given(st.binary(max_size=200))
def test_any_octets_are_a_mapping_or_an_error_of_ours(octets: bytes) -> None:
    with suppress(FrontmatterError):
        assert isinstance(parse(b"---\n" + octets + b"\n---\n"), dict)
