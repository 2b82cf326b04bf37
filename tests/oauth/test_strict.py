"""JSON that can be read in one way only."""

from __future__ import annotations

import pytest

from catshop.oauth import strict


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="C11-array"),
        pytest.param(b"{", id="C11-invalid"),
        pytest.param(b'{"a": 1, "a": 2}', id="C11-J19-twice"),
        pytest.param(b'{"a": {"b": 1, "b": 1}}', id="J19-twice-inside"),
        pytest.param(b'{"a": NaN}', id="J14-nan"),
        pytest.param(b'{"a": -Infinity}', id="infinity"),
        pytest.param(b'{"a": "\xff"}', id="no-utf-8"),
        pytest.param(b'{"a": [-1e999]}', id="J14-too-large"),
        pytest.param(rb'{"a": ["\ud83d"]}', id="half-a-character"),
        pytest.param(rb'{"\udc00": 1}', id="half-a-character-as-name"),
        pytest.param(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", id="C11-deeper-than-32"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="C11-deep"),
    ],
)
def test_what_can_be_read_two_ways_is_not_read(text: bytes) -> None:
    """RFC 8259 §4, §6, §8.2, §9: C11, J14, J19."""
    with pytest.raises(ValueError, match=r"."):
        strict.members(text)


def test_two_halves_make_a_character_and_31_lists_an_object() -> None:
    """RFC 8259 §7, §9."""
    assert strict.members(rb'{"a": "\ud83d\ude3a"}') == {"a": "\U0001f63a"}
    assert strict.members(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}")


def test_a_list_of_strings_is_one_or_absent() -> None:
    assert strict.strings({"a": ["x", "y"]}, "a") == ("x", "y")
    assert strict.strings({}, "a") == ()
    for value in ("x", [1], None, {}):
        with pytest.raises(ValueError, match="no list of strings"):
            strict.strings({"a": value}, "a")
