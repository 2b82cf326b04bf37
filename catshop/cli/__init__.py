"""The command line: it knows every plane, and none of them knows it. Next: `commands.py`."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

SDK: Final = "2.3"
"""The series of `mcp` whose types and low-level server the planes are written for."""


def main() -> None:
    """Run one command, unless the SDK is another than ours: its names differ between series."""
    found = sdk()
    if not f"{found}.".startswith(f"{SDK}."):
        sys.exit(
            f"catshop: mcp {found} is here; this version needs mcp {SDK}."
            f" Install it: {sys.executable} -m pip install 'mcp=={SDK}.*'"
        )
    from catshop.cli.commands import main as run  # noqa: PLC0415 - not before the SDK is known

    run()


def sdk() -> str:
    """The version of `mcp` that an import would find; `none` without one."""
    try:
        return version("mcp")
    except PackageNotFoundError:
        return "none"


__all__ = ["main"]
