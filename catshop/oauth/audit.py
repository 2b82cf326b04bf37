"""The audit: one line for every grant, refusal and revocation, and no secret in any of them.

Nobody who decides has to think of it. What is issued and what ends passes through the ports, so the
line is written there (`audited.py`), whoever asked: an endpoint, a page, a command. What is refused
leaves through a route, so the line is written there (`watched`), by the code that the access log is
told, too. In between, whoever learns who asks says so (`seen`). A token is named by the id that
people may see, and a family by a hash: its id is half of a refresh token. A name that a stranger
typed is not repeated, because it may be a password. Next:
`docs/howto/operations.md`, which says what a line tells.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from catshop.kernel import Secret, Unavailable
from catshop.oauth.errors import plain
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Answer, Handler, Request, Streamed
from catshop.protocol.http1.routes import Route

log: Final = logging.getLogger("catshop.audit")

BARE: Final = re.compile(r"[!#-<>-\[\]-~]+")
"""A value that needs no quotes: printable, without space, quote, equals sign and backslash."""

FAMILY_LENGTH: Final = 12
"""Hex digits of the hash that names a family: enough to find it again, too few to be one."""


class Outcome(StrEnum):
    """What became of a request: the first word of its line."""

    GRANTED = "granted"
    """Tokens were issued."""
    AGREED = "agreed"
    """A user has agreed, and a code was made."""
    REFUSED = "refused"
    REVOKED = "revoked"
    """What was granted ends."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The request that is being answered, and what has been found out about it so far."""

    endpoint: str
    request: Request
    facts: dict[str, str] = field(default_factory=dict)


_asking: Final[ContextVar[Asking | None]] = ContextVar("catshop_audit", default=None)


def seen(**facts: str | None) -> None:
    """Remember of the current request what its line should say, should it be refused."""
    asking = _asking.get()
    if asking is not None:
        asking.facts.update({name: value for name, value in facts.items() if value})


def write(outcome: Outcome, **facts: str | None) -> None:
    """One line: what became of it, these facts, and who asked where."""
    if not log.isEnabledFor(logging.INFO):
        return
    asking = _asking.get()
    told: dict[str, str | None] = {}
    if asking is not None:
        told = {"endpoint": asking.endpoint, **asking.facts}
    told.update(facts)
    if asking is not None:
        told |= {"address": asking.request.address, "request": asking.request.id}
    log.info("%s%s", outcome, "".join(f" {name}={_shown(v)}" for name, v in told.items() if v))


def _shown(value: str) -> str:
    """As it stands, or in quotes and ASCII: nobody can begin a line of their own."""
    short = plain(value)
    return short if BARE.fullmatch(short) else json.dumps(short)


def family_name(family_id: str) -> str:
    """What a family is called where people read. RFC 9700 §4.14.2."""
    return Secret(family_id).digest()[:FAMILY_LENGTH]


# --- refusals: every route of the plane ----------------------------------------------------------


def watched(route: Route) -> Route:
    """The route, each of whose refusals leaves a line."""
    methods = {name: _watched(route.path, handler) for name, handler in route.methods.items()}
    return replace(route, methods=methods)


def _watched(endpoint: str, handler: Handler) -> Handler:
    async def answered(request: Request) -> Answer | Streamed:
        with asked(endpoint, request):
            answer = await handler(request)
            if isinstance(answer, Answer) and (answer.status >= 400 or "code" in request.notes):
                refused(request.notes.get("code"), answer.status)
            return answer

    return answered


@contextmanager
def asked(endpoint: str, request: Request) -> Iterator[None]:
    """What is written in here is about this request; what is raised out of here was refused."""
    token = _asking.set(Asking(endpoint, request))
    try:
        yield
    except HttpError as error:
        refused(error.code, error.status)
        raise
    except Unavailable as error:
        refused(error.code, 503)
        raise
    except Exception:
        refused("E-HTTP-50", 500)
        raise
    finally:
        _asking.reset(token)


def refused(code: str | None, status: int) -> None:
    """The line of a refusal."""
    write(Outcome.REFUSED, code=code, status=str(status))
