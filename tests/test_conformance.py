"""The judge of the official suite's results: what it must not let pass."""

from __future__ import annotations

import pytest

from conformance.run import Scenario, judge, read_expected, worst

SCENARIO = Scenario("2025-11-25", "ping", frozenset({"ping"}), {"later": "comes later"})


@pytest.mark.parametrize(
    ("checks", "problem"),
    [
        pytest.param({}, "wrote nothing down", id="dead-suite"),
        pytest.param(
            {"wire": "SUCCESS"}, "ping succeeded before, and now is not", id="dead-server"
        ),
        pytest.param(
            {"ping": "SKIPPED"}, "ping succeeded before, and now is SKIPPED", id="skipped"
        ),
        pytest.param({"ping": "FAILURE"}, "ping is FAILURE", id="failure"),
        pytest.param({"ping": "SUCCESS", "x": "WARNING"}, "x is WARNING", id="warning"),
        pytest.param(
            {"ping": "SUCCESS", "x": "SUCCESS"}, "x succeeds and is not recorded", id="new"
        ),
        pytest.param({"ping": "SUCCESS", "later": "SUCCESS"}, "out of date", id="old-excuse"),
    ],
)
def test_a_result_that_is_not_as_expected_is_a_problem(
    checks: dict[str, str], problem: str
) -> None:
    assert any(problem in each for each in judge(SCENARIO, checks))


@pytest.mark.parametrize("status", ["FAILURE", "WARNING", "SKIPPED", "INFO"])
def test_what_is_excused_and_what_is_expected_is_no_problem(status: str) -> None:
    assert list(judge(SCENARIO, {"ping": "SUCCESS", "later": status, "note": "INFO"})) == []


def test_a_repeated_check_counts_as_its_worst() -> None:
    assert worst("SUCCESS", "FAILURE") == worst("FAILURE", "WARNING") == "FAILURE"
    assert worst("SKIPPED", "SUCCESS") == "SUCCESS"


def test_every_scenario_is_recorded_with_successes_and_every_excuse_with_a_reason() -> None:
    for scenario in read_expected():
        assert scenario.success, f"{scenario.revision} {scenario.name} earns nothing"
        assert not scenario.success & scenario.excused.keys()
        assert all(len(reason.split()) >= 5 for reason in scenario.excused.values())
