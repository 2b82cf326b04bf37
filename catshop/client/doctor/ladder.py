"""The ladder: every check in order, and the shell that climbs it.

The first failure is the cause; what stands above it would fail for the same reason, so it is not
run. Where no token is held, and the shop is not ours, the ladder ends without a failure, because
nobody can see further.
Next: `reach.py`, the first rungs.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from catshop.client.doctor import authority, door, reach, talk, visit
from catshop.client.doctor.chart import (
    Admit,
    Chart,
    Check,
    Dial,
    Dialled,
    Finding,
    Health,
    Sick,
    T,
    Visitor,
    Walk,
    failed,
)
from catshop.client.errors import ClientError
from catshop.client.oauth.steps import Ask, Browse, Reply
from catshop.protocol.http1.sse import MEDIA_TYPE, Decoder

LADDER: Final[tuple[Check, ...]] = (
    reach.the_name_resolves,
    reach.somebody_listens,
    reach.nobody_can_listen_in,
    reach.the_endpoint_answers,
    reach.the_other_spelling_is_no_trap,
    reach.the_clocks_agree,
    reach.a_web_page_may_call,
    door.a_stranger_is_told_where_to_go,
    door.an_invented_token_is_refused,
    door.the_resource_is_the_url,
    authority.the_authority_is_its_issuer,
    authority.pkce_is_offered,
    authority.the_endpoints_answer,
    authority.a_newcomer_can_register,
    authority.the_sign_in_page_opens,
    authority.any_loopback_port_will_do,
    visit.a_visitor_signs_in,
    talk.the_token_opens,
    talk.a_conversation_begins,
    talk.an_old_session_is_unknown,
    talk.the_tools_are_listed,
    talk.every_tool_can_be_called,
    talk.the_older_era_lists_the_same,
    visit.the_token_is_for_this_address_alone,
    visit.more_is_asked_for_by_name,
    visit.a_refresh_token_is_good_once,
    visit.a_token_given_back_is_over,
)
"""In the order in which a client comes past each."""

SECONDS: Final = 10
"""For one connection to stand."""

STOPS: Final = frozenset({Health.FAIL, Health.NOT_RUN})

NOT_RUN: Final = Finding(Health.NOT_RUN)


@dataclass(frozen=True, slots=True)
class Rung:
    """One check, its place, and how it ended; `needs` is the rung that it did not get past."""

    number: int
    name: str
    finding: Finding
    needs: int | None = None


Send = Callable[[Ask], Awaitable[Reply]]


async def climb(
    chart: Chart, send: Send, told: Callable[[Rung], None], before: tuple[Rung, ...] = ()
) -> list[Rung]:
    """Every rung above those that were climbed `before`, in order; `told` hears of each."""
    rungs = list(before)
    for number, check in enumerate(LADDER, len(before) + 1):
        needs = stopped(rungs)
        finding = NOT_RUN if needs else await _look(check, chart, send)
        rungs.append(Rung(number, named(check), finding, needs))
        told(rungs[-1])
    return rungs


def stopped(rungs: Sequence[Rung]) -> int | None:
    """The rung that nobody got past, if there is one."""
    return next((rung.number for rung in rungs if rung.finding.health in STOPS), None)


def named(check: Callable[..., object]) -> str:
    """What a check says when it passes, as a sentence."""
    return str(getattr(check, "__name__", "")).replace("_", " ")


async def _look(check: Check, chart: Chart, send: Send) -> Finding:
    try:
        found = check(chart)
        return found if isinstance(found, Finding) else await drive(found, send)
    except ClientError as error:
        return failed(error)
    except ValueError as error:  # an address that cannot be read, the user's or the server's
        return failed(Sick("E-DOC-01", str(error)))


async def drive(walk: Walk[T], send: Send) -> T:
    """Take the steps of a check; what goes wrong on the wire is thrown into it."""
    try:
        wanted = next(walk)
        while True:
            try:
                answer = await _step(wanted, send)
            except ClientError as error:
                wanted = walk.throw(error)
            else:
                wanted = walk.send(answer)
    except StopIteration as done:
        value: T = done.value
        return value


async def _step(wanted: Ask | Browse | Dial | Admit, send: Send) -> Reply | Dialled | Visitor:
    match wanted:
        case Ask():
            return await send(wanted)
        case Dial():
            return await dial(wanted)
        case Admit():
            return await wanted.house()
        case Browse():
            raise TypeError("nobody signs in here")


async def dial(wanted: Dial) -> Dialled:
    """Resolve, connect, shake hands for TLS, and hang up."""
    try:
        found = await anyio.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Dialled()
    addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    try:
        with anyio.fail_after(SECONDS):
            await _connect(wanted)
    except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        return Dialled(addresses, untrusted=getattr(error, "verify_message", "") or "no TLS there")
    except (OSError, TimeoutError) as error:
        return Dialled(addresses, refused=error.strerror or "no connection")
    return Dialled(addresses)


async def _connect(wanted: Dial) -> None:
    if wanted.tls:
        secured = await anyio.connect_tcp(
            wanted.host, wanted.port, tls=True, tls_standard_compatible=False
        )
        await secured.aclose()
    else:
        await (await anyio.connect_tcp(wanted.host, wanted.port)).aclose()


def enough(kind: str, body: bytes) -> bool:
    """Whether a stream has brought what was asked for, so that nobody waits for its end."""
    if kind.partition(";")[0].strip().lower() != MEDIA_TYPE:
        return False
    try:
        events = Decoder().receive(body)
    except UnicodeDecodeError:
        return True
    return any(
        each.event != "message" or '"result"' in each.data or '"error"' in each.data
        for each in events
    )
