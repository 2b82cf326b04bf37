"""`catshop stdio`: a client starts the shop, and its user comes from the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.program import catshop

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


def line(method: str, id_: int, **params: Any) -> str:
    """One request as one line."""
    return json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params}) + "\n"


def test_a_user_of_the_environment_shops_on_a_pipe(tmp_path: Path) -> None:
    """MCP 2025-11-25 basic/transports §stdio: messages on stdout and nothing else."""
    added = catshop(tmp_path, "user", "add", "alice", "--password-stdin", typed="tuna and string\n")
    assert added.returncode == 0
    typed = line("initialize", 0, **INITIALIZE)
    typed += line("tools/call", 1, name="add_to_cart", arguments={"product_id": 1})
    done = catshop(tmp_path, "stdio", typed=typed, env={"CATSHOP_USER": "alice"})
    assert done.returncode == 0, done.stderr
    answers = {
        answer["id"]: answer["result"] for answer in map(json.loads, done.stdout.splitlines())
    }
    assert answers[0]["serverInfo"]["name"] == "Cat Shop"
    assert answers[1]["structuredContent"]["success"] is True


def test_a_user_who_has_no_account_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    """On stderr, because stdout belongs to the protocol."""
    done = catshop(tmp_path, "stdio", env={"CATSHOP_USER": "nobody"})
    assert (done.returncode, done.stdout) == (1, "")
    assert "(nobody)" in done.stderr
