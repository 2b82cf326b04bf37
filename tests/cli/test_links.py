"""`catshop user link` and `catshop client link`: whom the subjects of other issuers stand for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Command

IDP = ("--issuer", "https://idp.example")


def test_a_subject_is_linked_listed_and_unlinked(cli: Command) -> None:
    """RFC 7523 §3. The list is for programs: one line each, tabs between."""
    cli("user", "add", "alice", "--password-stdin", typed="whiskers and string\n")
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    robot = json.loads(cli("client", "add", "robot", "--grant", grant).out)["client_id"]
    assert cli("user", "link", "alice", *IDP, "--subject", "U1").status == 0
    assert cli("client", "link", robot, *IDP, "--subject", "robot").status == 0
    user, client = cli("user", "links").out.splitlines()
    assert user.split("\t")[:2] == ["https://idp.example", "U1"]
    assert client.split("\t") == ["https://idp.example", "robot", robot]
    twice = cli("client", "link", robot, *IDP, "--subject", "U1")
    assert (twice.status, twice.out) == (1, "")
    assert twice.err.startswith("catshop: E-LINK-01")
    assert cli("user", "unlink", *IDP, "--subject", "U1").status == 0
    assert cli("user", "unlink", *IDP, "--subject", "U1").err.startswith("catshop: E-LINK-02")
    assert cli("client", "remove", robot).status == 0
    assert cli("user", "links").out == ""
