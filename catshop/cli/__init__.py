"""The command line: it knows every plane, and none of them knows it. Next: `commands.py`."""

from catshop.cli.commands import main

__all__ = ["main"]
