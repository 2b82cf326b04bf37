"""Octets in hexadecimal, of a text in which secrets are marks."""

from __future__ import annotations

from catshop.inspector.web.hexadecimal import ROW, ROWS, dump


def test_sixteen_octets_stand_in_a_row_with_their_characters() -> None:
    assert list(dump("GET / HTTP/1.1\r\nHost: käse\r\n")) == [
        "000000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1..",
        "000010  48 6f 73 74 3a 20 6b c3 a4 73 65 0d 0a           Host: k..se..",
    ]


def test_a_mark_is_one_cell_because_nobody_knows_how_long_its_secret_is() -> None:
    assert list(dump("code=‹12ab9f›&a")) == [f"000000  {'63 6f 64 65 3d ‹› 26 61':<47}  code=?&a"]


def test_what_is_long_is_cut_and_says_so() -> None:
    rows = list(dump("a" * (ROW * ROWS + 3)))
    assert (len(rows), rows[-1]) == (ROWS + 1, f"... more than {ROW * ROWS} octets")
    assert len(list(dump("a" * (ROW * ROWS)))) == ROWS
