"""A recorded conversation as a script: what it sends, and that no text in it is a command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.inspector.curl import OPENING, Variable, curl, quoted
from catshop.inspector.recording import Body, Exchange
from tests.inspector.talks import PAGE, talk

TALK = [
    talk(1, "POST /register", 201, sent={"name": "a"}, said={"client_id": "cat_0123456789abcdef"}),
    talk(
        2,
        "GET /authorize?client_id=cat_0123456789abcdef&state=s&code_challenge=h",
        303,
        fields=PAGE,
        answered={"location": "http://c/callback?code=‹a1b2c3›&state=s"},
    ),
    talk(3, "GET /callback?code=‹a1b2c3›&state=s", 200, fields=PAGE),
    talk(
        4,
        "POST /token",
        200,
        sent="code=‹a1b2c3›&code_verifier=‹d4e5f6›&resource=http%3A%2F%2F127.0.0.1%3A4711%2Fmcp",
        said={"access_token": "‹0a0b0c›", "refresh_token": "‹0d0e0f›"},
    ),
    talk(
        5,
        "POST /mcp",
        200,
        sent={"jsonrpc": "2.0", "id": 1},
        fields={"Authorization": "Bearer ‹0a0b0c›", "Cookie": "c=‹f0f0f0›"},
    ),
]


def test_what_an_answer_gave_is_read_from_the_new_answer() -> None:
    """Nothing secret is in the script, and what nobody uses is not read."""
    script = "\n".join(curl(TALK)).removeprefix(OPENING)
    assert (
        script
        == """
step "1. client to auth: POST /register"
see 201 curl "${BASE}/register" \\
  -H "Content-Type: application/json" \\
  --data-raw '{"name": "a"}'
CLIENT_ID=$(member client_id)

step "2. browser to auth: GET /authorize"
see 303 curl "${BASE}/authorize" \\
  -G \\
  --data-urlencode "client_id=${CLIENT_ID}" \\
  --data-urlencode "state=${STATE}" \\
  --data-urlencode "code_challenge=${CHALLENGE}" \\
  -b "$DIR/jar" -c "$DIR/jar" \\
  -H "Accept: text/html"
CODE=$(parameter code)

step "4. client to auth: POST /token"
see 200 curl "${BASE}/token" \\
  --data-urlencode "code=${CODE}" \\
  --data-urlencode "code_verifier=${VERIFIER}" \\
  --data-urlencode "resource=${BASE}/mcp"
ACCESS_TOKEN=$(member access_token)

step "5. browser to mcp: POST /mcp"
see 200 curl "${BASE}/mcp" \\
  -b "$DIR/jar" -c "$DIR/jar" \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer ${ACCESS_TOKEN}" \\
  --data-raw '{"jsonrpc": "2.0", "id": 1}'
cat "$DIR/body"; echo
)"""
    )


def test_two_of_one_name_are_two_variables() -> None:
    """Each page has a form token of its own."""
    page = '<input type="hidden" name="csrf" value="{}">'
    pages = [
        talk(1, "GET /a", 200, said=page.format("‹a1a1a1›"), fields=PAGE),
        talk(2, "GET /b", 200, said=page.format("‹b2b2b2›"), fields=PAGE),
        talk(3, "POST /b", 200, sent="csrf=‹b2b2b2›&other=‹a1a1a1›", fields=PAGE),
    ]
    script = "\n".join(curl(pages))
    assert "CSRF=$(input csrf)" in script
    assert "CSRF_2=$(input csrf)" in script
    assert '"csrf=${CSRF_2}"' in script
    assert '"other=${CSRF}"' in script


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.one_of(TEXT, st.just(Variable("CODE"))), min_size=1, max_size=5))
def test_no_text_is_a_command(pieces: list[str]) -> None:
    """POSIX.1-2024 shell section 2.2: what is quoted is what is sent."""
    program = f'CODE="a b"; printf %s {quoted(pieces)}'
    said = subprocess.run(["/bin/sh", "-c", program], capture_output=True, check=True).stdout
    assert said.decode() == "".join(
        "a b" if isinstance(each, Variable) else each for each in pieces
    )


def test_the_script_is_one_subshell(tmp_path: Path) -> None:
    """Pasted into a shell, it must not end that shell."""
    script = "\n".join(curl(TALK)).replace("curl ", "false ")
    pasted = f"{script}\necho $? still here\n"
    said = subprocess.run(["/bin/sh"], input=pasted, capture_output=True, text=True, check=False)
    assert said.stdout.endswith("1 still here\n")


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(
            [
                talk(1, "GET /a", 303,
                     answered={"location": "http://h/cb?%24%28touch%20pwned%29=AAAA0123456789bcdef"}),
                talk(2, "POST /b", 200, sent="x=AAAA0123456789bcdef"),
            ],
            id="the-name-of-a-parameter",
        ),
        pytest.param(
            [
                talk(1, "GET /a", 200, said={"x$(touch pwned)": "OPAQUEVALUE-0123456789"}),
                talk(2, "POST /b", 200, sent="x=OPAQUEVALUE-0123456789"),
            ],
            id="the-name-of-a-member",
        ),
        pytest.param([talk(1, "GET;$(touch$IFSpwned) /a", 200)], id="the-method"),
        pytest.param([talk(1, "POST /$(touch${IFS}pwned)", 200, sent={"a": "`touch pwned`"})],
                     id="the-path-and-the-body"),
    ],
)  # fmt: skip
def test_nothing_that_was_recorded_is_a_command(tmp_path: Path, hostile: list[Exchange]) -> None:
    """Whoever was recorded has chosen the names; the script is run by somebody who trusts it."""
    stub = tmp_path / "curl"
    stub.write_text("#!/bin/sh\nprintf 200\n")
    stub.chmod(0o755)
    script = "\n".join(curl(hostile)).replace("see 303", "see 200")
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "BASE": "http://h"}
    subprocess.run(["/bin/sh"], input=script, cwd=tmp_path, env=env, text=True,
                   capture_output=True, check=False)  # fmt: skip
    assert not (tmp_path / "pwned").exists()


def test_a_body_that_begins_like_a_file_is_sent_as_it_is() -> None:
    """Curl would send the file."""
    exchange = talk(1, "POST /a", 200)
    exchange.lines.insert(1, Body(way=">", type="text/plain", text="@/etc/hostname", size=14))
    assert '--data-raw "@/etc/hostname"' in "\n".join(curl([exchange]))
