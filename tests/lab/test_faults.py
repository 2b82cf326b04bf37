"""Every fault shows while it is on, to a probe that a healthy server satisfies, and no longer.

So a green probe means something: each has been seen to fail for the one reason that it looks for.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest

from catshop.catalogue import catalogue
from catshop.inspector.curl import curl
from catshop.inspector.har import har
from catshop.inspector.httpfile import httpfile
from catshop.inspector.mermaid import mermaid
from catshop.inspector.recording import Started
from catshop.inspector.rungs import rungs
from catshop.inspector.show import heading
from catshop.inspector.web.overview import rows
from catshop.lab.bench import bench
from catshop.lab.faults import FAULTS
from catshop.lab.swaps import found
from catshop.lab.switch import Position, Switch
from tests.lab.probes import authorize, bearer, floor, messages, proofs, redeem, shop, streams
from tests.lab.world import PROBES, Seen, world
from tests.support.laboratory import laboratory
from tests.support.visit import recorder

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


async def test_every_exchange_of_a_recording_names_the_fault_it_was_served_with(
    tmp_path: Path,
) -> None:
    """Whoever reads it later must not take a broken answer for a rule."""
    async with laboratory(tmp_path) as opened, httpx2.AsyncClient() as http:
        made, memory = recorder()
        stop = opened.house.trace.observe(made)
        switch = Switch.beside(opened.house.config.database)
        await http.get(f"{opened.url}/healthz")
        switch.set(Position(opened.url, "pkce-skipped"))
        await http.get(f"{opened.url}/healthz")
        stop()
    sound, broken = memory.recording().exchanges.values()
    assert (sound.fault, broken.fault) == ("", "pkce-skipped")
    assert [rung.said for rung in rungs([broken])][1] == "fault: pkce-skipped"
    [row] = rows([broken])
    assert row.fault == "pkce-skipped"
    assert "fault: pkce-skipped" in heading(broken)
    [entry] = json.loads("".join(har(Started(), [broken])))["log"]["entries"]
    assert entry["comment"].endswith("fault: pkce-skipped")
    for lines in (curl([broken]), httpfile([broken]), mermaid(rungs([broken]))):
        assert "pkce-skipped" in "\n".join(lines)
