"""The shop as `catshop serve` runs it, without a log line for each request.

The peer logs none either. Configured by the environment; an argument says who watches, and nobody
does without one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from catshop import app
from catshop.cli.logs import outlet
from catshop.cli.options import run
from catshop.cli.serve import recorded
from catshop.config import Config, from_process
from catshop.inspector.printer import Printer
from catshop.inspector.recorder import Memory, Recorder
from catshop.kernel import Trace


@contextmanager
def remembering(trace: Trace, _settings: Config) -> Iterator[None]:
    """As `catshop serve --inspect` records for its pages, while nobody has one open."""
    recorder = Recorder()
    recorder.watch(Memory())
    trace.observe(recorder)
    yield


def recording(trace: Trace, settings: Config) -> AbstractContextManager[object]:
    """As `catshop serve --record FILE` does, beside the database."""
    return recorded(trace, Path(settings.database).with_suffix(".jsonl"))


@contextmanager
def printing(trace: Trace, _settings: Config) -> Iterator[None]:
    """As `catshop serve --trace` does, onto a paper that nobody reads."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, outlet(nowhere) as paper:
        trace.observe(Printer(paper))
        yield


WATCHERS: Final[Mapping[str, Callable[[Trace, Config], AbstractContextManager[object]]]] = {
    "nobody": lambda _trace, _settings: nullcontext(),
    "memory": remembering,
    "file": recording,
    "printer": printing,
}


def main(watcher: str = "nobody") -> None:
    """Serve until SIGTERM."""
    settings, trace = from_process({}, os.environ), Trace()

    async def work() -> None:
        await app.serve(settings, trace=trace, ready=lambda _config: None)

    with WATCHERS[watcher](trace, settings):
        run(settings, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
