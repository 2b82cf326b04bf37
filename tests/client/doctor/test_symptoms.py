"""The doctor against broken servers on real sockets: each symptom has its cause and its fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from catshop.catalogue import explain
from catshop.client.doctor.chart import Chart, Finding, Health, Walk
from catshop.client.doctor.ladder import LADDER, named
from catshop.client.doctor.reach import the_clocks_agree
from catshop.client.oauth.memory import Memory
from catshop.client.oauth.steps import Reply, Sources
from tests.client.doctor.ward import SYMPTOMS, Healthy, Open, Symptom, admitted, examine

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "symptom",
    [pytest.param(each, id=f"{each.number}-{each.patient.__name__}") for each in SYMPTOMS],
)
async def test_a_broken_server_is_told_its_cause_and_one_fix(symptom: Symptom) -> None:
    """The first thing that is wrong is that one, and nothing after a failure is looked at."""
    async with admitted(symptom.patient) as patient:
        examined = await examine(patient.url, patient.memory())
    first = examined.words[0]
    assert first.finding.code == symptom.code, first
    assert first.finding.health is symptom.health
    assert symptom.told in first.finding.told
    assert symptom.fix in (first.finding.fix or explain(symptom.code).fix)
    above = examined.rungs[first.number :]
    if symptom.health is Health.FAIL:
        assert {rung.finding.health for rung in above} <= {Health.NOT_RUN}
        assert {rung.needs for rung in above} <= {first.number}
    else:
        assert not any(rung.finding.health in {Health.FAIL, Health.NOT_RUN} for rung in above)


def test_each_of_the_twenty_symptoms_has_a_patient() -> None:
    assert {each.number for each in SYMPTOMS} == set(range(21))


@pytest.mark.parametrize("healthy", [Healthy, Open])
async def test_a_healthy_server_is_healthy(healthy: type[Healthy]) -> None:
    """Every check passes or has nothing to look for. MCP 2025-11-25 basic/transports."""
    async with admitted(healthy) as patient:
        examined = await examine(patient.url, patient.memory())
    assert not examined.words
    assert len(examined.rungs) == len(LADDER)
    assert {rung.finding.health for rung in examined.rungs} == {Health.OK, Health.WAIVED}


async def test_without_a_token_nobody_sees_further_and_that_is_no_fault() -> None:
    """What is behind the door needs a sign-in, which is not for a doctor to do."""
    async with admitted(Healthy) as patient:
        examined = await examine(patient.url)
    assert not examined.words
    last = [rung for rung in examined.rungs if rung.finding.health is Health.NOT_RUN]
    assert "catshop login" in last[0].finding.told
    assert {rung.needs for rung in last[1:]} == {last[0].number}


async def test_encryption_is_waived_on_this_machine_and_not_passed() -> None:
    """OAuth 2.1 §1.5."""
    async with admitted(Open) as patient:
        examined = await examine(patient.url)
    rung = next(rung for rung in examined.rungs if rung.name == "nobody can listen in")
    assert (rung.finding.health, rung.finding.told) == (Health.WAIVED, "loopback")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("npx server", "E-DOC-01", id="a-command"),
        pytest.param("ftp://127.0.0.1/mcp", "E-DOC-01", id="another-scheme"),
        pytest.param("http://no-such-host.invalid/mcp", "E-DOC-02", id="no-such-name"),
        pytest.param("http://127.0.0.1:1/mcp", "E-SERVER-01", id="nobody-there"),
    ],
)
async def test_an_address_that_leads_nowhere_is_told_why(url: str, code: str) -> None:
    """RFC 9110 §4.2.1."""
    examined = await examine(url)
    assert [rung.finding.code for rung in examined.words] == [code]


async def test_a_registration_is_used_again() -> None:
    """MCP 2026-07-28 basic/authorization/client-registration: nobody registers twice."""

    class Known(Healthy):
        known = True

    async with admitted(Known) as patient:
        examined = await examine(patient.url, patient.memory())
    rung = next(rung for rung in examined.rungs if rung.name == "a newcomer can register")
    assert rung.finding.told == "known as cat"


@pytest.mark.parametrize(
    ("seconds", "health"),
    [(0, Health.OK), (59, Health.OK), (61, Health.WARN), (-3600, Health.WARN)],
)
def test_two_clocks_may_differ_by_a_minute(seconds: int, health: Health) -> None:
    """RFC 9110 §6.6.1."""
    theirs = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    chart = Chart("http://127.0.0.1/mcp", Sources(lambda: NOW, lambda: ""), Memory())
    chart.door = Reply(200, (("date", theirs),))
    assert outcome(the_clocks_agree(chart)).health is health


def outcome(found: Finding | Walk[Finding]) -> Finding:
    """The finding of a check that asks for nothing."""
    assert isinstance(found, Finding)
    return found


def test_a_check_is_named_by_what_holds() -> None:
    """The names are the report: none twice, and each a sentence."""
    names = [named(check) for check in LADDER]
    assert len(set(names)) == len(names)
    assert all(" " in name for name in names)
