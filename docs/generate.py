"""Write the pages of docs/reference that a command can print; `--check` only compares.

`make fix` writes them, `make check` compares. Each page has one source: the dataclasses of
`limits.py` and `config.py`, the catalogue of refusals, the records of the official suite and of
`bench/`, the marks of the tests; and in the README, `catshop demo`. Nothing there is typed twice.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

from bench import record
from bench.record import Record, Verdict
from catshop.catalogue import catalogue
from catshop.catalogue.citations import pieces
from catshop.catalogue.page import page_of
from catshop.config import Setting, load
from catshop.inspector.files import ASIDE, FILE_OCTETS
from catshop.inspector.recording import KINDS, VERSION, Line
from catshop.lab.faults import FAULTS
from tests.oauth.cases import ROWS, TESTS, held

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
BEGIN, END = "<!-- demo, written by docs/generate.py -->", "<!-- end of demo -->"
REFERENCE: Final = ROOT / "docs/reference"
MEMBERS: Final = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Pairs": "list of [name, value]",
    "Told": "object of texts",
}
"""The types of the members of a recording, as JSON has them."""
SUITE_RECORD: Final = ROOT / "conformance/expected.json"
JUDGED: Final = {
    Verdict.HELD: "every interval ends below",
    Verdict.BROKEN: "an interval begins above",
    Verdict.OPEN: "an interval reaches across",
}
"""What makes each verdict, of what was promised of the trace."""


def main() -> int:
    """Write every page that differs, or name it: 1 when `--check` finds one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    rendered = {REFERENCE / name: render() for name, render in PAGES.items()}
    rendered[README] = readme()
    stale = [path for path, text in rendered.items() if read(path) != text]
    for path in stale:
        name = path.relative_to(ROOT).as_posix()
        if check:
            print(f"{name} is out of date: run `make fix`", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(rendered[path], "utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0


def read(path: Path) -> str:
    """What the page holds now; nothing when there is none."""
    return path.read_text("utf-8") if path.exists() else ""


def readme() -> str:
    """The README, with what `catshop demo` prints today between the marks."""
    command = [sys.executable, "-m", "catshop", "demo", "--deterministic"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    before, begin, rest = read(README).partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"README.md lacks {BEGIN} or {END}")
    return f"{before}{begin}\n```text\n{said.stdout.decode()}```\n{end}{after}"


def settings() -> str:
    """Every setting that is not a number of `limits.py`."""
    rows = [
        (f"`{each.name}`", f"`{each.variable}`", shown(each.value), each.doc)
        for each in load().settings()
        if "." not in each.name
    ]
    return page(
        "Settings",
        "Flags win over the environment, the environment over `catshop.toml`, the file over what\n"
        "is built in. `HOST`, `PORT` and `ISSUER_URL` work too. Numbers: [limits](limits.md).",
        table(("setting", "environment", "unless set", "what for"), rows),
    )


def limits() -> str:
    """Every number, a table for each group."""
    numbers = [each for each in load().settings() if "." in each.name]
    return page(
        "Limits",
        "Every number that we chose. Times are in seconds and sizes in octets unless the name\n"
        "says otherwise. `[http] head_seconds = 3` in `catshop.toml` and\n"
        "`CATSHOP_HTTP_HEAD_SECONDS=3` in the environment say the same.",
        *(
            f"## {group}\n\n{table(('number', 'unless set', 'what for'), map(number, each))}"
            for group, each in groupby(numbers, lambda each: each.name.partition(".")[0])
        ),
    )


def errors() -> str:
    """Every refusal, in the order of the catalogue."""
    sections = (
        f"## {each.code}\n\n**{escaped(each.title)}**\n\n"
        + "".join(
            f"- {p.heading}: {linked(p.text) if p.name == 'section' else escaped(p.text)}\n"
            for p in page_of(each).parts[1:]
            if p.name != "next"
        )
        for each in catalogue().values()
    )
    rows = [(f"[{each.code}](#{each.code.lower()})", each.title) for each in catalogue().values()]
    return page(
        "Refusals",
        "Every refusal carries a code, in the answer where the standards give room and in the "
        "log.\n`catshop explain CODE` prints the same.",
        table(("code", "what happened"), rows),
        *sections,
    )


def faults() -> str:
    """Every fault of the lab, in the order of a conversation."""
    every = FAULTS.values()
    sections = (
        f"## {each.name}\n\n{each.breaks} {each.sees}\n\n"
        f"- Swaps the check: `{each.check}` ({each.plane})\n- Caught by: {caught(each.caught)}\n"
        f"- Breaks: {linked(each.section)}\n- Its probe: `make test ARGS='-k {each.name}'`\n"
        for each in every
    )
    rows = [(f"[{each.name}](#{each.name})", each.plane, each.breaks) for each in every]
    return page(
        "Faults",
        "What `catshop break NAME` breaks in a server that was started with `catshop serve --lab`, "
        "one at\na time; `catshop break off` mends it ([why](../why/0026-faults-from-outside.md)).",
        table(("fault", "plane", "what breaks"), rows),
        *sections,
    )


def caught(text: str) -> str:
    """What catches a fault; a refusal with the way to its words."""
    return f"[{text}](errors.md#{text.lower()})" if text.startswith("E-") else text


def conformance() -> str:
    """Every scenario of the official suite, and how many of its checks succeed."""
    recorded = json.loads(SUITE_RECORD.read_text("utf-8"))
    legs = recorded["legs"]
    names = sorted({name for scenarios in legs.values() for name in scenarios})
    rows = [(f"`{name}`", *(judged(each.get(name)) for each in legs.values())) for name in names]
    totals = [sum(sum(each["success"].values()) for each in leg.values()) for leg in legs.values()]
    excuses = [
        (f"`{name}`", f"`{check}`", leg, why)
        for leg, scenarios in legs.items()
        for name, scenario in scenarios.items()
        for check, why in scenario["excused"].items()
    ]
    return page(
        "Conformance",
        f"What version {recorded['suite']} of the official MCP conformance suite found on "
        f"{recorded['date']}. `make conformance`\nruns it and fails on any failure, any warning "
        "and any success fewer than stands here, through our own\nHTTP server and inside uvicorn.",
        "The columns `2025-11-25` and `2026-07-28` are all server scenarios of that revision, "
        "required or not;\n`all` is every server scenario there is, each at the revision that the "
        "suite takes for it; these ask the\nfixture, `conformance/everything.py`. The columns of "
        "the shop are what needs no fixture;\n`authorization` asks the authorization server of the "
        "program as anybody would start it, with somebody at the\nbrowser. A cell is the number of "
        "checks that succeed, of all that were made.",
        table(("scenario", *legs), [*rows, ("**all checks**", *map(str, totals))]),
        "## What is excused",
        table(("scenario", "check", "where", "why"), sorted(excuses)),
    )


def performance() -> str:
    """What was measured: what the trace costs, and how the shop does beside the SDK's server."""
    trace, peers = record.read("overhead"), record.read("compare")
    return page(
        "Performance",
        filled("""
            What `make bench` found when it was last told to save it. Only ratios are kept: seconds
            do not travel between machines, so whatever is compared was measured in one run, in
            turns, the servers on one core and their client on another. A cell is the median of the
            ratios, and the interval of 95 % around it; 1 is the same, 2 is twice as much. No figure
            here fails a build. `make bench` measures again and prints; `make bench ARGS=--save` and
            then `make fix` renew this page.
        """),
        "## What the trace costs",
        filled(f"""
            {measured(trace)} The shop is compared with itself without its trace:
            {trace.facts["places"]} places in {trace.facts["modules"]} modules that tell it
            something, ask whether anybody watches, or keep something to be told, are taken out
            while the modules are loaded (`bench/without_trace.py`). Servers are asked in turns of
            a few milliseconds, because whatever slows a machine down lasts longer and meets both
            alike; and they are started anew {trace.facts["sittings"]} times, because two processes
            of one program differ, too.
        """),
        ratios("the trace", trace),
        filled(promise(trace)),
        "## Beside the SDK's own server",
        filled(f"""
            {measured(peers)} The shop is compared with the SDK's low-level `Server` (mcp
            {peers.facts["mcp"]}) under uvicorn {peers.facts["uvicorn"]}, with uvloop and httptools.
            The same call with the same answer; both check a bearer token against SQLite.
        """),
        ratios("server", peers),
    )


def promise(trace: Record) -> str:
    """Whether the trace is as cheap as it should be."""
    verdict, most = record.judged(trace), f"{1 + record.PROMISE:.2f}"
    highest = max(cost.high for cost in record.unwatched(trace))
    return f"""
        The promise: while nobody watches, the trace costs under {record.PROMISE * 100:.0f} % of the
        throughput. A busy core serves the more requests the less each takes of it, and a neighbour
        on the machine disturbs that time less than the clock on the wall, so the column of the
        processor is judged. The promise is **{verdict}**: {JUDGED[verdict]} {most}, and the highest
        end is {highest:.3f}. Recording has its price for whoever asks for it: each body is read
        once more, in search of secrets.
    """


def measured(told: Record) -> str:
    """Where figures come from."""
    return f"Measured on {told.date} with Python {told.python} by `{told.command}`."


def ratios(name: str, told: Record) -> str:
    """Every row of every kind of work."""
    rows = [
        (f"`{work}`", row.name, str(row.cpu), str(row.rate))
        for work, each in told.tables.items()
        for row in each
    ]
    return table(("call", name, "processor, for a request", "throughput"), rows)


def oauth_cases() -> str:
    """Every row of the table of OAuth cases, with the tests that hold it."""
    tests: dict[str, list[tuple[str, str, str]]] = {}
    for each in held():
        file = each.path.relative_to(TESTS.parent).as_posix()
        cells = (each.row, each.holds, f"[{each.test}](../../{file})")
        tests.setdefault(each.row, []).append(cells)
    return page(
        "OAuth cases",
        "Every way to ask the authorization server and the resource server that has one right\n"
        "answer, every attack among them, and the test that holds it. The row is part of the id of "
        'the\ntest: `make test ARGS="-k A5"` runs those of row A5.',
        *(
            f"## {title}\n\n"
            + table(
                ("row", "what holds", "test"),
                [line for row in rows.split() for line in tests.get(row, [(row, "", "")])],
            )
            for title, rows in ROWS.items()
        ),
    )


def judged(scenario: dict[str, Any] | None) -> str:
    """A cell: how many checks succeed, of how many, when that is not all of them."""
    if scenario is None:
        return ""
    succeeded = sum(scenario["success"].values())
    made = succeeded + len(scenario["excused"])
    return str(succeeded) if made == succeeded else f"{succeeded} of {made}"


def number(setting: Setting) -> tuple[str, str, str]:
    """The row of one number."""
    return (f"`{setting.name}`", shown(setting.value), setting.doc)


def shown(value: object) -> str:
    """A value as a reader writes it."""
    match value:
        case bool():
            return "on" if value else "off"
        case int():
            return f"{value:_}" if value > 99_999 else str(value)
        case None | ():
            return ""
        case _:
            return f"`{value}`" if isinstance(value, str) else str(value)


def recording() -> str:
    """The format of a recording, from the classes of its lines."""
    return page(
        "The recording",
        "`catshop serve --record FILE` writes one JSON object a line. The member `is` says what\n"
        "the line tells; every line has the first two members below. Members with nothing in\n"
        "them are left out. A secret is a mark such as `‹7f3a1c›`: the same secret has the same\n"
        "mark throughout one recording, and nobody can tell which secret it was.",
        f"The version of the format is {VERSION}: it changes when a reader of the old one would\n"
        "misread the new. A reader skips kinds of line that it does not know. A file that has\n"
        f"grown to {FILE_OCTETS // 2**20} MiB is set aside as `FILE.1`, and {ASIDE} of those are "
        "kept.",
        members(Line),
        *(
            f"## `{name}`\n\n{(kind.__doc__ or '').strip()}\n\n{members(kind)}"
            for name, kind in KINDS.items()
        ),
    )


def members(kind: type) -> str:
    """What a line has of its own, in order; each member's words stand below it in the source."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    rows = [
        (f"`{here.target.id}`", MEMBERS[ast.unparse(here.annotation)], after.value.value)
        for here, after in pairwise(getattr(tree, "body", ()))
        if isinstance(here, ast.AnnAssign)
        and isinstance(here.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    ]
    return table(("member", "type", "what it says"), rows)


def filled(text: str) -> str:
    """A paragraph, in lines of its own."""
    words = " ".join(text.split())
    return textwrap.fill(words, 100, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(escaped, cells))} |" for cells in lines) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def linked(text: str) -> str:
    """A text whose citations lead to where they are published."""
    return "".join(
        f"[{escaped(each.text)}]({each.address})" if each.address else escaped(each.text)
        for each in pieces(text)
    )


def page(title: str, *parts: str) -> str:
    """A page that says where it comes from."""
    made = "<!-- Written by docs/generate.py; change its source and run `make fix`. -->"
    return "\n\n".join([f"# {title}", made, *(part.strip("\n") for part in parts)]) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "config.md": settings,
    "conformance.md": conformance,
    "errors.md": errors,
    "faults.md": faults,
    "limits.md": limits,
    "oauth-cases.md": oauth_cases,
    "performance.md": performance,
    "recording.md": recording,
}

if __name__ == "__main__":
    sys.exit(main())
