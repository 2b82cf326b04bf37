"""`catshop keys`: one key a line on stdout, and a new one without a token that fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Command

MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def test_keys_are_listed_and_rotated(cli: Command) -> None:
    """RFC 7517 §4.5: J9. The old key is published on, until its tokens are over."""
    assert cli("keys", "list").out == ""
    first = cli("keys", "rotate").out.strip()
    assert re.fullmatch(rf"{first}\t{MOMENT}\t-\tEdDSA\n", cli("keys", "list").out)
    second = cli("keys", "rotate", "--alg", "ES256")
    assert re.fullmatch(rf"It signs from {MOMENT} on\.", second.err)
    lines = cli("keys", "list").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [second.out.strip(), first]
    assert re.fullmatch(MOMENT, lines[1].split("\t")[2])
