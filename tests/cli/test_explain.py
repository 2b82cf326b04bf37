"""`catshop explain`: the words of the catalogue, one page a code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from catshop.catalogue import catalogue, explain
from catshop.catalogue.page import next_of, page_of
from catshop.cli.commands import COMMANDS
from catshop.inspector.filters import filtered

if TYPE_CHECKING:
    from .conftest import Command


def test_a_page_says_what_happened_what_was_expected_why_who_says_so_and_what_next(
    cli: Command,
) -> None:
    """The words are the catalogue's, and all of them are there."""
    words, said = explain("E-PKCE-03"), cli("explain", "E-PKCE-03")
    assert said.status == 0
    places = [said.out.index(part.text) for part in page_of(words).parts]
    assert places == sorted(places)
    for text in (words.title, words.expected, words.cause, words.section, words.fix):
        assert text in said.out
    assert "E-PKCE-06" in said.out.partition("Beside it")[2]


def test_a_page_ends_with_a_command_that_there_is(cli: Command) -> None:
    """For a refusal on the wire, the one that shows it happen; its filter is one that is taken."""
    commands = {next_of(code) for code in catalogue()}
    assert {command.split()[1] for command in commands} <= set(COMMANDS)
    assert "catshop trace FILE --filter code=E-PKCE-03" in cli("explain", "E-PKCE-03").out
    for command in commands:
        _, _, expression = command.partition("--filter ")
        filtered(expression)


@pytest.mark.parametrize("typed", ["e-pkce-03", "PKCE-03", " E-PKCE-03"])
def test_a_code_is_found_however_it_is_typed(cli: Command, typed: str) -> None:
    assert cli("explain", typed).out.startswith("E-PKCE-03\n")


@pytest.mark.parametrize(("typed", "likely"), [("E-PCKE-03", "E-PKCE-03"), ("pkce", "E-PKCE-01")])
def test_a_code_that_is_none_is_answered_with_the_one_that_was_meant(
    cli: Command, typed: str, likely: str
) -> None:
    said = cli("explain", typed)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("catshop: no refusal is called ")
    assert f"did you mean {likely}" in said.err


def test_what_is_like_no_code_leads_to_the_list(cli: Command) -> None:
    assert cli("explain", "!").err.endswith("`catshop explain` lists them all.")
    assert len(cli("explain").out.splitlines()) == len(catalogue())


def test_json_holds_the_same_words(cli: Command) -> None:
    told = json.loads(cli("explain", "E-PKCE-03", "--json").out)
    assert told["fix"] == explain("E-PKCE-03").fix
    assert "E-PKCE-01" in told["neighbours"]
    every = json.loads(cli("explain", "--json").out)
    assert [each["code"] for each in every] == list(catalogue())
