"""A list of named checks, run in order; the first that fails wins.

An endpoint is a tuple of `(name, check)`. A check either hands on what it was given, enriched by
what it has learned, or raises an `OAuthError`. Pure, so that the same list can run inside a
storage transaction; `report` tells the trace afterwards what was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from catshop.catalogue import explain
from catshop.kernel import Trace, Verdict
from catshop.oauth.errors import OAuthError, plain

T = TypeVar("T")
Checks = tuple[tuple[str, Callable[[T], T]], ...]
"""The rows of an endpoint: the name under which a check is traced, and the check."""


@dataclass(frozen=True, slots=True)
class Findings:
    """How a list of checks went: who passed, and who failed with what, if any did."""

    passed: tuple[str, ...] = ()
    failed: str = ""
    error: OAuthError | None = None
    checks: tuple[tuple[str, Callable[..., object]], ...] = field(
        default=(), repr=False, compare=False
    )
    """The list that was run, for whoever wants to be told where a check stands."""


def examine(checks: Checks[T], subject: T) -> tuple[T, Findings]:
    """Run `checks` on `subject` until one fails; what is known by then, and how it went."""
    passed: list[str] = []
    for name, check in checks:
        try:
            subject = check(subject)
        except OAuthError as error:
            return subject, Findings(tuple(passed), name, error, checks)
        passed.append(name)
    return subject, Findings(tuple(passed), checks=checks)


def report(findings: Findings, trace: Trace) -> None:
    """Tell the observers how each check ended."""
    if not trace.observed:
        return
    decided = dict(findings.checks)
    for name in findings.passed:
        trace.check(name, Verdict.OK, by=decided[name])
    if findings.error is not None:
        error = findings.error
        told = {"expected": explain(error.reference).expected, "arrived": plain(error.arrived)}
        trace.check(findings.failed, Verdict.NO, by=error, code=error.reference, **told)


def settle(findings: Findings, trace: Trace) -> None:
    """Report, and raise what failed."""
    report(findings, trace)
    if findings.error is not None:
        raise findings.error
