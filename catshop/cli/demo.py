"""`catshop demo`: a whole shopping trip in two seconds, and every exchange of it on one page.

A shop with a temporary database opens on a free port of this machine. Our own client knows nothing
but its address, is refused, finds its way to a token, and buys a Whisker Wand, while Alice signs up
and agrees in a browser. All of it is real: sockets, forms, rows; what is printed is what was
recorded. It needs no network and leaves nothing behind. Next: `catshop/inspector/ladder.py`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from catshop import __version__
from catshop.app import House, listening, mint, open_house
from catshop.cli.callback import loopback
from catshop.cli.remote import ToolFailed
from catshop.cli.serve import drawable, program, recorded
from catshop.client.client import Client
from catshop.client.connect import Options, connect
from catshop.client.inputs import Handlers, accepted
from catshop.client.oauth.account import Account
from catshop.client.oauth.memory import InMemory
from catshop.client.oauth.registration import Introduction
from catshop.client.oauth.sending import sending
from catshop.client.oauth.sign_in import Way
from catshop.client.oauth.steps import Sources
from catshop.client.person import NAME, sign_up_and_allow
from catshop.config import load
from catshop.inspector.curl import curl
from catshop.inspector.ladder import ASCII, LINES, Style, ladder
from catshop.inspector.mermaid import mermaid
from catshop.inspector.recorder import Memory, Recorder
from catshop.inspector.recording import Exchange, Recording
from catshop.inspector.redact import Redactor
from catshop.inspector.rungs import Tone, rungs
from catshop.inspector.still import still
from catshop.kernel import Trace, utc_now
from catshop.protocol.http1.server import Server
from catshop.protocol.jsonrpc import Params

PRODUCT: Final = 1
"""The Whisker Wand."""

PATIENT: Final = {"oauth.token_cache_seconds": 60}
"""The token is looked up once, however slow the machine: the same rows are read everywhere."""

COLOURS: Final = {Tone.REFUSED: "red", Tone.ANSWERED: "green", Tone.INSIDE: "bright_black"}
"""What a rung is, in colour; its words say it as well."""


class Shape(StrEnum):
    """What the trip is printed as."""

    LADDER = "ladder"
    CURL = "curl"
    MERMAID = "mermaid"


def demo(
    *,
    shape: Annotated[
        Shape, typer.Option("--as", help="A ladder, a shell script, or a sequence diagram.")
    ] = Shape.LADDER,
    in_ascii: Annotated[
        bool, typer.Option("--ascii", help="Draw with characters that every terminal has.")
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Hide what differs from one run to the next.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write every exchange to a file, secrets hidden.")
    ] = None,
) -> None:
    """Watch Alice buy a Whisker Wand: a throwaway shop, a real purchase, every exchange."""
    recording = anyio.run(trip, record)
    exchanges = list((still(recording) if deterministic else recording).exchanges.values())
    match shape:
        case Shape.CURL:
            lines = curl(exchanges)
        case Shape.MERMAID:
            lines = mermaid(rungs(exchanges))
        case Shape.LADDER:
            lines = _page(exchanges, in_ascii=in_ascii, stays=deterministic)
    typer.echo("\n".join(lines), color=False if os.environ.get("NO_COLOR") else None)


# --- The trip ---


async def trip(record: Path | None = None) -> Recording:
    """Every exchange of one purchase, in order; in the file `record`, too, if there is one."""
    redactor, trace = Redactor(mint().encode()), Trace()
    recorder = Recorder(f"catshop {__version__}", redactor=redactor)
    memory = Memory(started=recorder.started)
    recorder.watch(memory)
    trace.observe(recorder)
    with direct(), recorded(trace, record, redactor) as files:
        async with throwaway(trace) as house:
            if files is not None:
                files.located(house.config.issuer)
            async with shopper(f"{house.config.issuer}/mcp", trace) as client:
                await buy(client)
    return memory.recording()


@asynccontextmanager
async def throwaway(trace: Trace) -> AsyncIterator[House]:
    """A shop on a free port that is gone when the context ends, and its database with it."""
    with tempfile.TemporaryDirectory(prefix="catshop-") as folder:
        config = load(flags={"database": str(Path(folder) / "catshop.db"), "port": 0, **PATIENT})
        async with (
            listening(config) as (found, listeners),
            open_house(found, trace=trace) as house,
            anyio.create_task_group() as tasks,
        ):
            server = Server(house.router, limits=found.limits.http, trace=trace)
            tasks.start_soon(server.serve, listeners)
            yield house
            house.sessions.drain()
            server.drain()


@asynccontextmanager
async def shopper(url: str, trace: Trace) -> AsyncIterator[Client]:
    """Our client, which knows one address, and Alice, to whom it turns.

    Its token is bound to no key, so that a shell may do what it did. RFC 9449 §7.2.
    """
    async with (
        loopback(lambda _: None, open_page=sign_up_and_allow, trace=trace) as browser,
        sending(Trace()) as send,
    ):
        way = Way(Introduction("Cat Shop demo", browser.redirect_uri), portable=True)
        sources = Sources(utc_now, partial(secrets.token_urlsafe, 32))
        account = Account(url, way, InMemory(), send, browser=browser, sources=sources)
        async with connect(
            url, Handlers(elicit=_agree), account, Options("catshop-demo")
        ) as client:
            yield client


async def buy(client: Client) -> None:
    """Look around, put it into the cart, and pay; ToolFailed when the shop does not play along."""
    await client.tools()
    for tool, arguments in (("add_to_cart", {"product_id": PRODUCT}), ("checkout", {})):
        if (await client.call(tool, arguments)).get("isError"):
            raise ToolFailed("E-CALL-05", tool)


async def _agree(params: Params) -> Params:
    """Alice has read what it costs, and says yes."""
    return accepted(params, {"confirm": True})


@contextmanager
def direct() -> Iterator[None]:
    """No proxy between us and this machine, whatever the environment says."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "*"
    try:
        yield
    finally:
        del os.environ["NO_PROXY"]
        if before is not None:
            os.environ["NO_PROXY"] = before


# --- The page ---


def _page(exchanges: list[Exchange], *, in_ascii: bool, stays: bool) -> Iterator[str]:
    address = dict(exchanges[0].request.fields).get("Host", "")
    where = f"http://{address}: a free port, a database that is thrown away."
    yield f"Cat Shop {__version__} at {where}"
    yield f"{NAME.capitalize()} buys a Whisker Wand. {len(exchanges)} exchanges over real sockets:"
    yield ""
    wide = 100 if stays else shutil.get_terminal_size((100, 24)).columns
    signs = LINES if drawable() and not in_ascii else ASCII
    yield from ladder(rungs(exchanges), Style(signs, wide, times=not stays), _painted)
    yield ""
    yield NEXT.format("catshop" if stays else program())


def _painted(tone: Tone, text: str) -> str:
    return typer.style(text, fg=COLOURS[tone]) if tone in COLOURS else text


NEXT: Final = """\
Try next
  by hand        {0} serve, and in another terminal: {0} demo --as curl | sh
  with a client  {0} call list_products
  that refusal   {0} explain E-CHAL-01
  as a diagram   {0} demo --as mermaid"""
"""Where to go on from here; the shop of the second line is that of the first."""
