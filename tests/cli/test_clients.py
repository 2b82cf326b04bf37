"""`catshop client`: applications that the operator knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.oauth.keys import public_set

if TYPE_CHECKING:
    from .conftest import Command

CALLBACK = "http://127.0.0.1:9999/callback"


def test_a_client_is_added_listed_and_removed(cli: Command) -> None:
    """What is printed is what a registration would have been answered: RFC 7591 §3.2.1."""
    said = cli("client", "add", "Paws", "--redirect-uri", CALLBACK, "--scope", "read")
    told = json.loads(said.out)
    assert (said.status, said.err) == (0, "")
    assert told["redirect_uris"] == [CALLBACK]
    assert told["scope"] == "read"
    assert "client_secret" not in told
    listed = cli("client", "list").out
    grants = "authorization_code refresh_token"
    assert re.fullmatch(
        rf"{told['client_id']}\tPaws\toperator\tnone\t{grants}\t\d{{4}}-\d\d-\d\d\n", listed
    )
    assert cli("client", "remove", told["client_id"]).status == 0
    assert cli("client", "list").out == ""


def test_a_client_that_acts_for_itself_is_given_a_secret_once(cli: Command) -> None:
    """OAuth 2.1 §4.2."""
    serves = "http://127.0.0.1:8000/mcp"
    told = json.loads(cli("client", "add", "Robot", "--serves", serves).out)
    assert told["grant_types"] == ["client_credentials"]
    assert len(told["client_secret"]) >= 43
    assert told["client_secret"] not in cli("client", "list").out


def test_a_client_may_have_keys_in_place_of_a_secret(cli: Command, tmp_path: Path) -> None:
    """RFC 7523 §2.2."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(public_set("ed")), "utf-8")
    said = cli("client", "add", "Robot", "--method", "private_key_jwt", "--jwks", str(keys))
    assert json.loads(said.out)["jwks"] == public_set("ed")


def test_a_client_may_keep_its_keys_at_an_address_of_its_own(cli: Command) -> None:
    """RFC 7591 §2: one or the other, and nothing that is not https."""
    keyed = ("client", "add", "Robot", "--method", "private_key_jwt", "--jwks-uri")
    told = json.loads(cli(*keyed, "https://robot.example/keys").out)
    assert told["jwks_uri"] == "https://robot.example/keys"
    assert "jwks" not in told
    Path("keys.json").write_text(json.dumps(public_set("ed")), "utf-8")
    both = cli(*keyed, "https://robot.example/keys", "--jwks", "keys.json")
    plain = cli(*keyed, "http://robot.example/keys")
    assert (both.status, plain.status) == (1, 1)
    assert cli("client", "list").out.count("\n") == 1


def test_what_cannot_be_added_or_found_is_told_with_what_to_do(cli: Command) -> None:
    """A mistake that can be mended is told in one message, without a stack."""
    said = cli("client", "add", "Paws", "--redirect-uri", "http://a.example/")
    assert (said.status, said.out) == (1, "")
    assert "E-REG-04" in said.err
    said = cli("client", "remove", "cat_nobody")
    assert (said.status, said.out) == (1, "")
    assert said.err.endswith("catshop client list.")
    Path("keys.json").write_text("{", "utf-8")
    said = cli("client", "add", "Robot", "--method", "private_key_jwt", "--jwks", "keys.json")
    assert (said.status, said.out) == (2, "")
    assert "no JSON" in said.err


@pytest.mark.parametrize("text", [r'{"keys":[{"kid":"\ud800"}]}', '{"keys":[],"x":1e999}', "[]"])
def test_the_operators_own_file_is_read_as_strictly_as_a_strangers(cli: Command, text: str) -> None:
    """RFC 8259 §6, RFC 8259 §8.2: what could not be written again is not kept."""
    Path("keys.json").write_text(text, "utf-8")
    said = cli("client", "add", "Robot", "--method", "private_key_jwt", "--jwks", "keys.json")
    assert said.status == 2
    assert "keys.json is no JSON object" in said.err
    assert cli("client", "list").out == ""
