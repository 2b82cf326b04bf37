"""The shop as `catshop serve` runs it, without a log line for each request.

The peer logs none either. Configured by the environment.
"""

from __future__ import annotations

import os

from catshop import app
from catshop.cli.options import run
from catshop.config import from_process
from catshop.kernel import Trace


def main() -> None:
    """Serve until SIGTERM."""
    settings = from_process({}, os.environ)

    async def work() -> None:
        await app.serve(settings, trace=Trace(), ready=lambda _config: None)

    run(settings, work)


if __name__ == "__main__":
    main()
