"""The suite's authorization leg: a real `catshop serve`, and somebody at a browser for the suite.

The suite prints an address that a person is to open, and listens for the answer. Here the person is
a browser without a script, that signs up, allows what is asked, and goes where it is sent: to the
suite. Only a run of both scenarios counts, as the second takes its metadata from the first. Next:
`run.py`, which judges what the suite wrote down. RFC 8414 §3; OAuth 2.1 §4.1.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import IO, Final

import anyio
import httpx2

from bench.servers import free_port
from tests.support.person import Person
from tests.support.program import serving

ASKED: Final = re.compile(r"https?://\S+[?&]response_type=code\S*")
LISTENING: Final = "Callback server started"
"""What the suite says when somebody may open the address that it printed before."""


def run(suite: list[str], seconds: int, log: IO[str]) -> None:
    """Run the leg; `suite` is the command, all but whom it is to judge."""
    port = free_port()
    with TemporaryDirectory() as folder, serving(Path(folder)) as shop:
        about = ["--url", shop.url, "--resource", shop.mcp]
        client = ["--client-id", registered(shop.url, port), "--port", str(port)]
        command = [*suite, *about, *client]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
            watchdog = Timer(seconds, process.kill)
            watchdog.start()
            try:
                assert process.stdout is not None  # noqa: S101  it is a pipe, as said above
                attend(process.stdout, log)
            except BaseException:
                process.kill()  # it would wait for its answer for five minutes
                raise
            finally:
                watchdog.cancel()


def registered(url: str, port: int) -> str:
    """The id of a public client that listens there; RFC 7591 §3. The suite registers none."""
    asked = {
        "client_name": "The official suite",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "token_endpoint_auth_method": "none",
    }
    answer = httpx2.post(f"{url}/register", json=asked).raise_for_status()
    return str(answer.json()["client_id"])


def attend(said: IO[str], log: IO[str]) -> None:
    """Open what the suite wants opened, as soon as it listens."""
    address = ""
    for line in said:
        log.write(line)
        if ASKED.fullmatch(line.strip()):
            address = line.strip()
        if LISTENING in line:
            anyio.run(opened, address)


async def opened(address: str) -> None:
    """Sign up, allow, and follow the answer to where the suite listens. OAuth 2.1 §4.1.2."""
    async with httpx2.AsyncClient() as client:
        await Person(client, "suite", "whiskers and string").open(address)
