"""The judge of the official suite's results: what it must not let pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.record import Outcome, Record, Scenario, judge, read, renew
from conformance.run import LEGS, checks_in

SCENARIO = Scenario({"ping": 2}, {"later": "comes later"})
GOOD = Outcome("SUCCESS", 1)
PING = Outcome("SUCCESS", 2)


def bad(status: str) -> Outcome:
    """A check that did not succeed."""
    return Outcome(status, 0, "why not")


@pytest.mark.parametrize(
    ("checks", "problem"),
    [
        pytest.param({}, "wrote nothing down", id="dead-suite"),
        pytest.param(
            {"wire": GOOD}, "ping succeeded 2 times before, and now 0 times", id="dead-server"
        ),
        pytest.param({"ping": GOOD}, "2 times before, and now 1 times", id="fewer"),
        pytest.param({"ping": bad("SKIPPED")}, "ping is SKIPPED: why not", id="skipped"),
        pytest.param({"ping": bad("FAILURE")}, "ping is FAILURE: why not", id="failure"),
        pytest.param({"ping": PING, "x": bad("WARNING")}, "x is WARNING", id="warning"),
        pytest.param({"ping": PING, "x": GOOD}, "x succeeds 1 times and 0 are", id="new"),
        pytest.param({"ping": PING, "later": GOOD}, "no excuse any more", id="old-excuse"),
        pytest.param({"ping": PING}, "later needs no excuse any more", id="idle-excuse"),
    ],
)
def test_a_result_that_is_not_as_expected_is_a_problem(
    checks: dict[str, Outcome], problem: str
) -> None:
    assert any(problem in each for each in judge(SCENARIO, checks))


@pytest.mark.parametrize("status", ["FAILURE", "WARNING", "SKIPPED"])
def test_what_is_excused_and_what_is_expected_is_no_problem(status: str) -> None:
    checks = {"ping": PING, "later": bad(status), "note": bad("INFO")}
    assert list(judge(SCENARIO, checks)) == []


def test_what_is_excused_in_part_is_recorded_for_the_rest() -> None:
    """One check for each method, and some methods that the client has no use for."""
    before = Record("1", "then", {"a": {"x": Scenario({}, {"each": "some do not exist here"})}})
    after = renew(
        before, {"a": {"x": {"each": Outcome("SKIPPED", 9)}}}, suite="1", date="then"
    ).legs["a"]["x"]
    assert after == Scenario({"each": 9}, {"each": "some do not exist here"})
    fewer = {"each": Outcome("SKIPPED", 8)}
    assert list(judge(after, fewer)) == ["each succeeded 9 times before, and now 8 times"]


def test_our_client_plays_every_client_scenario_of_the_suite() -> None:
    """The package has 48 of them; all, the two of older servers, and what each revision asks."""
    legs = read().legs
    assert len(legs["client, all"]) == 48
    assert {*legs["client, backcompat"]} <= {*legs["client, all"]}
    for revision in ("2025-11-25", "2026-07-28"):
        assert {*legs[f"client, {revision}"]} <= {*legs["client, all"]}
    assert not any(found.excused for found in legs["client, 2025-11-25"].values())


def test_a_repeated_check_counts_as_its_worst_and_its_successes_add_up(tmp_path: Path) -> None:
    statuses = ["SUCCESS", "WARNING", "SUCCESS", "FAILURE", "INFO"]
    repeated = [{"id": "one", "status": status, "description": status} for status in statuses]
    file = tmp_path / "checks.json"
    file.write_text(json.dumps([*repeated, {"id": "two", "status": "SUCCESS"}]), "utf-8")
    assert checks_in(file) == {"one": Outcome("FAILURE", 2, "FAILURE"), "two": GOOD}


def test_a_new_record_keeps_good_excuses_and_the_legs_that_were_not_run() -> None:
    before = Record("1", "then", {"a": {"ping": SCENARIO}, "b": {"ping": SCENARIO}})
    found = {"a": {"ping": {"ping": bad("FAILURE"), "later": GOOD}}}
    after = renew(before, found, suite="2", date="now")
    assert after == Record(
        "2", "now", {"a": {"ping": Scenario({"later": 1})}, "b": before.legs["b"]}
    )


def test_every_leg_is_recorded_and_every_excuse_has_a_reason() -> None:
    legs = read().legs
    assert list(legs) == [leg.name for leg in LEGS]
    for leg, scenarios in legs.items():
        for name, scenario in scenarios.items():
            assert scenario.success or scenario.excused, f"{leg}: {name} earns nothing"
            assert all(len(reason.split()) >= 5 for reason in scenario.excused.values())


def test_all_sixty_five_server_scenarios_of_the_suite_are_judged() -> None:
    legs = read().legs
    assert [len(legs[leg]) for leg in ("2025-11-25", "2026-07-28", "all")] == [33, 50, 65]


def test_of_the_fixture_nothing_is_excused_but_what_the_suite_skips_for_everybody() -> None:
    legs = read().legs
    excused = {
        id_
        for leg in ("2025-11-25", "2026-07-28", "all")
        for scenario in legs[leg].values()
        for id_ in scenario.excused
    }
    assert excused == {"tasks-status-notifications"}


def test_the_authorization_leg_is_green() -> None:
    scenarios = read().legs["authorization"].values()
    assert [dict(each.excused) for each in scenarios] == [{}, {}]
    assert {id_ for each in scenarios for id_ in each.success} == {
        "authorization-server-metadata",
        "authorization-server-metadata-cimd",
        "authorization-code-grant",
    }
