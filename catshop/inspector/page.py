"""A recording as one page of HTML that needs nothing else and asks nobody for anything.

The ladder on top, and below it every exchange as `catshop trace --whole` shows it, folded. No
script, one small style sheet; everything that was recorded is escaped, because whoever was recorded
wrote it.
Pure. Next: `show.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from catshop.inspector.ladder import LINES, Style, ladder
from catshop.inspector.recording import Exchange, Started
from catshop.inspector.redact import printable
from catshop.inspector.rungs import rungs
from catshop.inspector.show import heading, rows

STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;"
    "max-width:72rem;padding:0 1rem}pre{overflow-x:auto;line-height:1.3}"
    "summary{cursor:pointer;font-family:ui-monospace,monospace;overflow-wrap:anywhere}"
)
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(started: Started, exchanges: Iterable[Exchange]) -> Iterator[str]:
    """The lines of the page."""
    found, program = list(exchanges), escape(printable(started.program))
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>A recording of {program}</title><style>{STYLE}</style></head>"
    yield f"<body><main><h1>A recording of {program}</h1>"
    yield f"<p>{len(found)} exchanges, begun {escape(started.began)}. Secrets are marks.</p>"
    yield '<h2>Who asked whom</h2><pre role="region" aria-label="Ladder" tabindex="0">'
    yield from map(escape, ladder(rungs(found), Style(LINES)))
    yield "</pre><h2>Every exchange</h2>"
    for exchange in found:
        yield from _folded(exchange)
    yield "</main></body></html>"


def _folded(exchange: Exchange) -> Iterator[str]:
    head = " ".join(heading(exchange).split())
    yield f'<details id="n{exchange.n}"><summary>{escape(head)}</summary>'
    yield f'<pre role="region" aria-label="Exchange {exchange.n}" tabindex="0">'
    for line in exchange.lines:
        yield from map(escape, rows(line, exchange, sys.maxsize))
    yield "</pre></details>"
