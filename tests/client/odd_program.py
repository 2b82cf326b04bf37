"""A server on a pipe with one oddity, which its argument names. Run by `test_pipe.py`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

ODDITY, LOG = sys.argv[1], Path(sys.argv[2])
WELCOME = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "odd"}}


def note(what: str) -> None:
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"{what}\n")


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def on_sigterm(_signal: int, _frame: object) -> None:
    note("SIGTERM")
    if ODDITY != "deaf":
        sys.exit(0)


def on_discover(id_: object) -> None:
    if ODDITY == "modern":
        say(id=id_, result={"supportedVersions": ["2026-07-28"], "capabilities": {}})
    elif ODDITY != "silent":
        say(id=id_, error={"code": -32600, "message": "initialize first"})


def on_message(message: dict[str, Any]) -> None:
    method, id_ = message.get("method", "answer"), message.get("id")
    note(method)
    if ODDITY == "noisy":
        sys.stdout.write("Welcome!\n\n[]\n")
    if ODDITY == "dies" and method == "tools/list":
        sys.exit(3)
    if method == "server/discover":
        on_discover(id_)
    elif method == "initialize":
        say(id=id_, result=WELCOME)
    elif method == "tools/list":
        say(id=id_, result={"tools": [], "heard": LOG.read_text("utf-8").split()})
    elif method == "tools/call":
        token = message["params"]["_meta"]["progressToken"]
        say(method="notifications/progress", params={"progressToken": token, "progress": 1})
    elif method == "notifications/cancelled":
        note(str(message["params"]["requestId"]))


signal.signal(signal.SIGTERM, on_sigterm)
for line in sys.stdin:
    on_message(json.loads(line))
note("EOF")
while ODDITY in {"stays", "deaf"}:
    signal.pause()
