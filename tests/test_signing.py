"""Signed text comes back unchanged, for the purpose it was signed for, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from catshop.kernel import Secret
from catshop.signing import Signer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD, NEW = Secret("o" * 43), Secret("n" * 43)


def signer(key: Secret = NEW, *previous: Secret, later: int = 0) -> Signer:
    """A signer that believes it is so many seconds later."""
    return Signer(key, previous, lambda: NOW + timedelta(seconds=later))


@pytest.mark.parametrize("text", ["", "cat", "\N{CAT}", "\ud800", "a.b.c"])
def test_a_signed_text_comes_back(text: str) -> None:
    """RFC 2104 §2."""
    signed = signer().sign(text, "a", "b")
    assert signed.isascii()
    assert signer().read(signed, 60, "a", "b") == text


@pytest.mark.parametrize("purpose", [(), ("a",), ("ab",), ("b", "a"), ("a", "b", ""), ("a,b",)])
def test_a_text_signed_for_another_purpose_is_none_of_ours(purpose: tuple[str, ...]) -> None:
    """House rule: each purpose has its own key."""
    assert signer().read(signer().sign("cat", "a", "b"), 60, *purpose) is None


def test_no_bit_of_a_signed_text_may_change() -> None:
    """Security case L11, W1: base64 has other spellings of the same octets; they count too."""
    signed = signer().sign("a cat", "a").encode()
    for place in range(len(signed)):
        for bit in range(8):
            changed = bytearray(signed)
            changed[place] ^= 1 << bit
            assert signer().read(changed.decode("latin-1"), 60, "a") is None


@pytest.mark.parametrize("signed", ["", ".", "..", "a.b.c", "\N{CAT}", "x" * 100_000])
def test_what_was_never_signed_is_none_of_ours(signed: str) -> None:
    """Security case W1."""
    assert signer().read(signed, 60, "a") is None
    assert not signer().is_marked(signed, "cat", "a")


@pytest.mark.parametrize(("later", "good"), [(60, True), (61, False), (-1, False)])
def test_a_signed_text_is_good_for_its_time(later: int, *, good: bool) -> None:
    """Security case W2; one that was signed in the future was not signed by us."""
    signed = signer().sign("cat", "a")
    assert (signer(later=later).read(signed, 60, "a") == "cat") is good


def test_a_previous_key_still_verifies_and_a_removed_one_does_not() -> None:
    """Security case W4: a key is changed in peace."""
    signed = signer(OLD).sign("cat", "a")
    assert signer(NEW, OLD).read(signed, 60, "a") == "cat"
    assert signer(NEW).read(signed, 60, "a") is None
    assert signer(OLD).read(signer(NEW, OLD).sign("cat", "a"), 60, "a") is None


def test_a_mark_is_for_one_text_and_one_purpose() -> None:
    """House rule: a form token of one form is worthless in another."""
    mark = signer().mark("cat", "a")
    assert signer().is_marked(mark, "cat", "a")
    assert not signer().is_marked(mark, "dog", "a")
    assert not signer().is_marked(mark, "cat", "b")
