"""Every fault shows while it is on, to a probe that a healthy server satisfies, and no longer.

So a green probe means something: each has been seen to fail for the one reason that it looks for.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catshop.catalogue import catalogue
from catshop.lab.bench import bench
from catshop.lab.faults import FAULTS
from catshop.lab.swaps import found
from tests.lab.probes import authorize, bearer, floor, messages, proofs, redeem, shop, streams
from tests.lab.world import PROBES, Seen, world

PARTS = (authorize, redeem, bearer, proofs, floor, messages, streams, shop)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_shows_while_it_is_on_and_not_when_it_is_off(
    tmp_path: Path, name: str
) -> None:
    """The probe passes, fails with what it looks for, and passes again."""
    async with world(tmp_path) as shop:
        await PROBES[name](shop)
        with bench(shop.trace) as on:
            on.turn(FAULTS[name])
            with pytest.raises(Seen):
                await PROBES[name](shop)
        await PROBES[name](shop)


def test_each_fault_has_a_probe_and_each_probe_a_fault() -> None:
    assert {part.__name__.rpartition(".")[2] for part in PARTS} == {
        "authorize",
        "bearer",
        "floor",
        "messages",
        "proofs",
        "redeem",
        "shop",
        "streams",
    }
    assert set(PROBES) == set(FAULTS)
    assert len(FAULTS) >= 40


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_what_it_breaks_what_is_seen_and_what_catches_it(name: str) -> None:
    fault = FAULTS[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
    said = (fault.check, fault.breaks, fault.sees, fault.caught, fault.section)
    assert all(text and text.isascii() for text in said)
    assert fault.breaks.endswith(".")
    assert fault.sees.endswith(".")
    codes = re.findall(r"E-[A-Z]+-\d\d", fault.caught)
    assert all(code in catalogue() for code in codes)


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_fault_swaps_is_put_back_as_it_was(name: str) -> None:
    """The very same objects stand there again."""
    places = [found(swap.where) for swap in FAULTS[name].swaps]
    before = [vars(owner)[attribute] for owner, attribute in places]
    undo = [swap.do() for swap in FAULTS[name].swaps]
    broken = [vars(owner)[attribute] for owner, attribute in places]
    assert all(a is not b for a, b in zip(before, broken, strict=True))
    for put_back in reversed(undo):
        put_back()
    assert [vars(owner)[attribute] for owner, attribute in places] == before
