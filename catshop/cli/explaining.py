"""`catshop explain E-PKCE-03`: what a refusal means, and what to do about it.

Every refusal names its code, on the wire and in the log; here are the words. A code that does not
exist is answered with those that may have been meant. What a page holds is
`catshop/catalogue/page.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from catshop.catalogue import Explanation, catalogue
from catshop.catalogue.citations import addresses
from catshop.catalogue.page import found, meant, next_of, page_of


class NoSuchCode(Exception):
    """Nothing is called so; the message says what may have been meant."""


def explain(
    code: Annotated[
        str | None, typer.Argument(help="The code of a refusal, such as E-PKCE-03.")
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, or an array of all.")
    ] = False,
) -> None:
    """Say what a refusal means: what happened, what was expected, why, and what to do next.

    Without a code, print every code with its title, one a line.
    """
    if code is None:
        _all(as_json=as_json)
        return
    words = found(code)
    if words is None:
        raise NoSuchCode(_advice(code))
    typer.echo(_json(words) if as_json else _page(words))


def _all(*, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(words) for words in catalogue().values()], indent=2))
        return
    for words in catalogue().values():
        typer.echo(f"{words.code}\t{words.title}")


def _page(words: Explanation) -> str:
    """One paragraph a part, where what it cites is published, and the codes beside it."""
    page = page_of(words)
    lines = [page.code]
    for part in page.parts:
        lines.append(f"\n{part.heading}\n  {part.text}")
        if part.name == "section":
            lines += (f"  {address}" for address in addresses(part.text))
    if page.neighbours:
        lines.append(f"\nBeside it\n  {' '.join(page.neighbours)}")
    return "\n".join(lines)


def _json(words: Explanation) -> str:
    page = page_of(words)
    told = {
        **asdict(words),
        "addresses": addresses(words.section),
        "next": next_of(words.code),
        "neighbours": page.neighbours,
    }
    return json.dumps(told, indent=2)


def _advice(code: str) -> str:
    likely = " or ".join(meant(code)[:3])
    hint = f"did you mean {likely}?" if likely else "`catshop explain` lists them all."
    return f"no refusal is called {code!a}; {hint}"
