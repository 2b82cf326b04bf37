"""What a person is told of an error that can be mended, and what a script is told of any.

Loaded when something has gone wrong, because it knows the errors of every plane. What it has no
words for is a fault of ours, and shows its stack. Next: `catshop/catalogue`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from catshop.catalogue import explain
from catshop.cli.explaining import NoSuchCode
from catshop.cli.remote import ToolFailed
from catshop.cli.serve import CannotListen
from catshop.client.errors import ClientError, ServerError, Unreachable
from catshop.client.oauth.errors import SignInFailed, printable
from catshop.config import ConfigError
from catshop.inspector.beside import InspectorRefused
from catshop.inspector.recording import RecordingRefused
from catshop.kernel import Unavailable
from catshop.oauth.administration import Mistake
from catshop.oauth.errors import OAuthError
from catshop.storage.faults import StartRefused
from catshop.tools.products import CatalogRefused

STATUS: Final = ((SignInFailed, 2), (ToolFailed, 3), (Unreachable, 4))
"""What a command ends with, by what went wrong; 1 for everything else."""


def status_of(error: BaseException) -> int:
    """The exit status that tells a script what went wrong."""
    found = (
        status for cause in _causes(error) for kind, status in STATUS if isinstance(cause, kind)
    )
    return max(found, default=1)


def told(error: BaseException) -> list[str]:
    """A line for each thing that went wrong and can be mended; none for a fault of ours."""
    return [line for cause in _causes(error) for line in _say(cause)]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, or those that a task group gathered."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def _say(error: BaseException) -> Iterator[str]:
    match error:
        case ConfigError() | StartRefused() | CatalogRefused() | CannotListen() | NoSuchCode():
            yield f"catshop: {error}"
        case Mistake() | ClientError() | RecordingRefused() | InspectorRefused():
            yield _words(error.code, error.arrived)
        case ServerError():
            yield f"catshop: the server says {printable(str(error))}"
        case OAuthError():
            yield _words(error.reference, error.arrived)
        case Unavailable():
            yield _words(error.code, error.detail)


def _words(code: str, arrived: str) -> str:
    words = explain(code)
    came = f" ({_printable(arrived)})" if arrived else ""
    fix = words.fix.rstrip(".")
    return f"catshop: {code}: {words.title}{came}. Expected {words.expected}. {fix}."


def _printable(text: str) -> str:
    """All of it, and nothing that a terminal would obey: some of it is a stranger's."""
    return "".join(each if each.isprintable() else " " for each in text)
