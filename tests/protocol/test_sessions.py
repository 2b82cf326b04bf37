"""Sessions: whose they are, and when they are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from mcp_types import InitializeRequestParams

from catshop.kernel import Principal, Trace, Unavailable
from catshop.limits import Limits, SessionLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.sessions import TRANSITIONS, Happening, Session, Sessions, State
from catshop.protocol.versions import negotiate
from tests.oauth.cases import case

START = datetime(2026, 7, 28, tzinfo=UTC)
ALICE = Principal(
    issuer="http://127.0.0.1:8000",
    subject="u1",
    username="alice",
    client_id="c1",
    audience="http://127.0.0.1:8000/mcp",
    scopes=frozenset({"read"}),
    token_id="t1",
    expires_at=START + timedelta(hours=1),
)
PARAMS = InitializeRequestParams.model_validate(
    {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
)


class Time:
    """A clock that stands until it is moved."""

    now = START

    def __call__(self) -> datetime:
        """The time it stands at."""
        return self.now


@pytest.fixture
def time() -> Time:
    """A clock of this test's own."""
    return Time()


def sessions_with(time: Time, **limits: float) -> Sessions:
    """Sessions under these limits."""
    numbers = count(1)
    return Sessions(
        Limits(session=replace(SessionLimits(), **limits)),
        clock=time,
        new_id=lambda: f"s{next(numbers)}",
        trace=Trace(),
    )


async def opened(sessions: Sessions, owner: Principal = ALICE) -> Session:
    """A session of `owner`; async, because the SDK's connection wants an event loop."""
    return sessions.open(owner, negotiate("2025-11-25"), PARAMS)


def status(sessions: Sessions, ids: tuple[str, ...], caller: Principal) -> int:
    """What a caller who names these ids is told."""
    with pytest.raises(HttpError) as caught:
        sessions.find(ids, caller)
    return caught.value.status


def test_every_state_but_over_can_end_and_over_is_the_end() -> None:
    """MCP 2025-11-25 basic/lifecycle: the table is the whole life of a session."""
    assert {State.OVER} == set(State) - {state for state, _ in TRANSITIONS}
    for happening in set(Happening) - {Happening.INITIALIZED}:
        assert all(TRANSITIONS[s, happening] is State.OVER for s in (State.OPEN, State.READY))


async def test_the_owner_finds_the_session(time: Time) -> None:
    """MCP 2025-11-25 basic/transports §session-management."""
    sessions = sessions_with(time)
    session = await opened(sessions)
    assert sessions.find((session.id,), ALICE) is session


@pytest.mark.parametrize(
    "caller",
    [
        pytest.param(replace(ALICE, subject="u2"), id="Z4-another-user"),
        pytest.param(replace(ALICE, client_id="c2"), id="Z5-another-client"),
        pytest.param(replace(ALICE, issuer="https://other.example"), id="S15-another-issuer"),
        pytest.param(replace(ALICE, subject=None), id="no-user"),
    ],
)
@case("S16", "a session of another user is answered in the same words as none")
async def test_another_principal_finds_nothing(time: Time, caller: Principal) -> None:
    """MCP 2025-11-25 basic/transports §session-management: the same words as for no session."""
    sessions = sessions_with(time)
    session = await opened(sessions)
    assert status(sessions, (session.id,), caller) == status(sessions, ("nope",), caller) == 404
    assert sessions.find((session.id,), ALICE) is session


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        pytest.param((), 400, id="Z1-none"),
        pytest.param(("s1", "s1"), 400, id="Z3-two"),
        pytest.param(("s" * 10_000,), 400, id="Z3-10KB"),
        pytest.param(("S1",), 404, id="Z3-other-case"),
        pytest.param(("s2",), 404, id="Z2-unknown"),
    ],
)
async def test_exactly_one_known_id_is_asked_for(
    time: Time, ids: tuple[str, ...], expected: int
) -> None:
    """MCP 2025-11-25 basic/transports §session-management."""
    sessions = sessions_with(time)
    await opened(sessions)
    assert status(sessions, ids, ALICE) == expected


async def test_a_deleted_session_is_over(time: Time) -> None:
    """Z2. MCP 2025-11-25 basic/transports §session-management."""
    sessions = sessions_with(time)
    session = await opened(sessions)
    sessions.end(session, Happening.DELETED)
    assert status(sessions, (session.id,), ALICE) == 404
    assert session.log.standalone.ended


async def test_an_idle_session_expires_and_a_read_one_does_not(time: Time) -> None:
    """Z13: idle for too long is over, but an open stream keeps its session."""
    sessions = sessions_with(time, idle_seconds=60)
    idle, read = await opened(sessions), await opened(sessions)
    read.log.standalone.attach()
    time.now += timedelta(seconds=61)
    assert status(sessions, (idle.id,), ALICE) == 404
    assert sessions.find((read.id,), ALICE) is read


async def test_one_session_too_many_is_told_to_come_back(time: Time) -> None:
    """Z13. RFC 9110 §15.6.4."""
    sessions = sessions_with(time, sessions=1)
    await opened(sessions)
    with pytest.raises(Unavailable) as caught:
        await opened(sessions)
    assert caught.value.code == "E-SES-05"


async def test_draining_ends_every_session(time: Time) -> None:
    """H58: the streams end, so that the server can."""
    sessions = sessions_with(time)
    session = await opened(sessions)
    sessions.drain()
    assert (len(sessions), session.state, session.log.standalone.ended) == (0, State.OVER, True)
