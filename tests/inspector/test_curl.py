"""A recorded conversation as a script: what it sends, and that no text in it is a command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.inspector.again import again
from catshop.inspector.curl import OPENING, Variable, curl, quoted
from catshop.inspector.recording import Body, Exchange, Frame, RecordingRefused, Request
from tests.inspector.talks import PAGE, talk

COOKIE = {"set-cookie": "c=‹f0f0f0›; Path=/; HttpOnly"}

TALK = [
    talk(1, "POST /register", 201, sent={"name": "a"}, said={"client_id": "cat_0123456789abcdef"}),
    talk(
        2,
        "GET /authorize?client_id=cat_0123456789abcdef&state=s&code_challenge=h",
        303,
        fields=PAGE,
        answered={"location": "http://c/callback?code=‹a1b2c3›&state=s", **COOKIE},
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
        fields={"Authorization": "Bearer ‹0a0b0c›", "Cookie": "c=‹f0f0f0›; theirs=‹f1f1f1›"},
        answered={"Mcp-Session-Id": "‹e5e5e5›"},
    ),
    talk(6, "DELETE /mcp", 200, fields={"Accept": "*/*", "Mcp-Session-Id": "‹e5e5e5›"}),
]


def script(exchanges: list[Exchange]) -> str:
    """The steps, and what is thought of before the first of them."""
    return "\n".join(curl(exchanges)).partition(OPENING.rstrip())[2]


def test_what_an_answer_gave_is_read_from_the_new_answer() -> None:
    """Nothing secret is in the script, and what nobody uses is not read."""
    assert (
        script(TALK)
        == """
VERIFIER=$(openssl rand 32 | base64url)
CHALLENGE=$(printf %s "$VERIFIER" | openssl dgst -sha256 -binary | base64url)
STATE=$(openssl rand -hex 16)

step "1. client to auth: POST /register"
see 201 curl "${BASE}/register" \\
  -H Accept: \\
  -H "Content-Type: application/json" \\
  --data-raw '{"name": "a"}'
CLIENT_ID=$(member client_id)

step "2. browser to auth: GET /authorize"
see 303 curl "${BASE}/authorize" \\
  -G \\
  --data-urlencode "client_id=${CLIENT_ID}" \\
  --data-urlencode "state=${STATE}" \\
  --data-urlencode "code_challenge=${CHALLENGE}" \\
  -H "Accept: text/html"
CODE=$(parameter code)
C=$(cookie c)

step "4. client to auth: POST /token"
see 200 curl "${BASE}/token" \\
  -H Accept: \\
  --data-urlencode "code=${CODE}" \\
  --data-urlencode "code_verifier=${VERIFIER}" \\
  --data-urlencode "resource=${BASE}/mcp"
ACCESS_TOKEN=$(member access_token)

step "5. browser to mcp: POST /mcp"
see 200 curl "${BASE}/mcp" \\
  -H Accept: \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer ${ACCESS_TOKEN}" \\
  -H "Cookie: c=${C}" \\
  --data-raw '{"jsonrpc": "2.0", "id": 1}'
MCP_SESSION_ID=$(field Mcp-Session-Id)

step "6. client to mcp: DELETE /mcp"
see 200 curl "${BASE}/mcp" \\
  -X DELETE \\
  -H "Accept: */*" \\
  -H "Mcp-Session-Id: ${MCP_SESSION_ID}"
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
    written = script(pages)
    assert "CSRF=$(input csrf)" in written
    assert "CSRF_2=$(input csrf)" in written
    assert '"csrf=${CSRF_2}"' in written
    assert '"other=${CSRF}"' in written


def token(n: int, verifier: str, status: int, code: str = "‹a1b2c3›") -> Exchange:
    return talk(n, "POST /token", status, sent=f"code={code}&code_verifier={verifier}")


def test_a_verifier_that_was_wrong_is_wrong_again() -> None:
    """RFC 7636 §4.6: the one that fits is the one of the challenge, however late it comes."""
    wrong, right = "‹bad0ba›", "‹d4e5f6›"
    told = script([*TALK[:2], token(4, wrong, 400), token(5, right, 200), token(6, right, 400)])
    shown = re.findall(r"code_verifier=\$\{(\w+)\}", told)
    assert shown == ["VERIFIER_2", "VERIFIER", "VERIFIER"]
    assert 'CHALLENGE=$(printf %s "$VERIFIER" |' in told


def test_each_sign_in_has_a_challenge_of_its_own() -> None:
    """Two at once, told apart by the state with which their codes came back."""
    asked = "GET /authorize?state={0}&code_challenge={0}{0}"
    leads = {"location": "http://c/callback?code=‹{0}{0}{0}{0}{0}{0}›&state={0}"}
    begun = [talk(n, asked.format(state), 303) for n, state in ((1, "a"), (2, "b"))]
    led = [
        talk(
            n, f"POST /consent?of={n}", 303, answered={"location": leads["location"].format(state)}
        )
        for n, state in ((3, "a"), (4, "b"))
    ]
    ended = [token(5, "‹b0b0b0›", 200, "‹bbbbbb›"), token(6, "‹a0a0a0›", 200, "‹aaaaaa›")]
    told = script([*begun, *led, *ended])
    assert re.findall(r"code_challenge=\$\{(\w+)\}", told) == ["CHALLENGE", "CHALLENGE_2"]
    assert re.findall(r"code_verifier=\$\{(\w+)\}", told) == ["VERIFIER_2", "VERIFIER"]
    assert re.findall(r"state=\$\{(\w+)\}", told) == ["STATE", "STATE_2"]


def test_a_code_that_is_older_than_every_challenge_has_the_one_before_it_is_redeemed() -> None:
    """Its own was asked before the recording began."""
    led = talk(1, "POST /consent", 303, answered={"location": "http://c/?code=‹a1b2c3›"})
    told = script([led, talk(2, "GET /authorize?code_challenge=h", 303), token(3, "‹d4e5f6›", 400)])
    assert '"code_verifier=${VERIFIER}"' in told


def login(n: int, action: str, name: str, password: str, status: int) -> Exchange:
    form = f"action={action}&username={name}&password={password}"
    return talk(n, "POST /login", status, sent=form)


def test_a_new_name_is_thought_of_anew_and_a_wrong_password_is_another_one() -> None:
    told = script(
        [
            login(1, "sign-up", "a%20b", "‹aaaaaa›", 400),
            login(2, "sign-up", "ann", "‹bbbbbb›", 303),
            login(3, "sign-in", "ann", "‹cccccc›", 401),
            login(4, "sign-in", "ann", "‹bbbbbb›", 303),
        ]
    )
    assert '--data-urlencode "username=a b"' in told
    assert told.count('"username=${NAME}"') == 3
    passwords = re.findall(r"password=\$\{(\w+)\}", told)
    assert passwords == ["PASSWORD", "PASSWORD_2", "PASSWORD_3", "PASSWORD_2"]


def test_who_has_signed_up_before_is_named_and_the_password_is_asked_for() -> None:
    told = script(
        [
            login(1, "sign-in", "ann", "‹bbbbbb›", 429),
            login(2, "sign-in", "ann", "‹bbbbbb›", 303),
        ]
    )
    assert "-d username=ann" in told
    assert "need PASSWORD 'export PASSWORD=... is the password of somebody who" in told


def test_a_cookie_of_an_earlier_visit_is_any_cookie_and_one_of_another_server_is_not_sent() -> None:
    """RFC 6265 §8.5: cookies do not keep apart what runs on two ports of one host."""
    told = script(
        [
            talk(1, "GET /a", 200, fields={"Cookie": "c=‹aaaaaa›; theirs=‹bbbbbb›"}),
            talk(2, "GET /a", 200, answered={"set-cookie": "c=‹cccccc›"}),
            talk(3, "GET /a", 200, fields={"Cookie": "c=‹cccccc›"}),
        ]
    )
    assert re.findall(r"^C.*|-H .Cookie.*", told, re.MULTILINE) == [
        "C=$(openssl rand -hex 16)",
        '-H "Cookie: c=${C}"',
        'C=$(renewed c "$C")',
        "C_2=$(cookie c)",
        '-H "Cookie: c=${C_2}"',
    ]


def test_a_secret_that_no_answer_gave_is_asked_for_with_a_way_to_it() -> None:
    fields = {"Authorization": "Bearer ‹aaaaaa›", "Mcp-Session-Id": "‹bbbbbb›"}
    told = script([talk(1, "POST /mcp", 200, fields=fields)])
    token = "export TOKEN=$(catshop token issue --user alice --create-user)"
    assert f"need TOKEN '{token}'" in told
    assert "need MCP_SESSION_ID 'Export the exchange with initialize, too" in told


def test_a_secret_that_was_refused_is_replaced_by_one_that_is_as_useless() -> None:
    told = script([talk(1, "POST /mcp", 401, fields={"Authorization": "Bearer ‹aaaaaa›"})])
    assert "TOKEN=$(openssl rand -hex 16)" in told
    assert "need " not in told


def test_every_field_is_sent_again_but_those_that_curl_writes_itself() -> None:
    """RFC 9110 §7.6.1; a Host of another server is part of what was asked."""
    chosen = {
        "Host": "evil.example",
        "Origin": "http://127.0.0.1:4711",
        "Sec-Fetch-Site": "cross-site",
        "Last-Event-ID": "1-4",
        "X-Nothing": "",
    }
    automatic = {
        "Connection": "keep-alive",
        "Content-Length": "0",
        "User-Agent": "x",
        "Accept-Encoding": "gzip",
        "@etc": "x",
    }
    told = script([TALK[0], talk(2, "POST /mcp", 421, fields={**chosen, **automatic})])
    assert (
        told.partition('step "2')[2].partition("\n")[2].removesuffix('\ncat "$DIR/body"; echo\n)')
        == """see 421 curl "${BASE}/mcp" \\
  -X POST \\
  -H Accept: \\
  -H "Host: evil.example" \\
  -H "Origin: ${BASE}" \\
  -H "Sec-Fetch-Site: cross-site" \\
  -H "Last-Event-ID: 1-4" \\
  -H "X-Nothing;\""""
    )


def test_a_query_beside_a_body_stays_a_query_and_a_head_is_one() -> None:
    told = script([talk(1, "POST /a?b=1", 200, sent="c=2"), talk(2, "HEAD /a", 200)])
    assert 'curl "${BASE}/a?b=1" ' in told
    assert "-G" not in told
    assert "-I" in told


def test_a_query_and_a_form_that_are_odd_are_sent_as_they_were() -> None:
    """RFC 3986 §2.1: what is refused for how it is written must be written so again."""
    told = script([talk(1, "GET /a?b&c=%zz", 400), talk(2, "POST /a", 400, sent="b&c=%ff")])
    assert 'curl "${BASE}/a?b&c=%zz"' in told
    assert '--data-raw "b&c=%ff"' in told


def test_which_of_the_members_of_one_name_was_used_is_remembered() -> None:
    orders = [{"order": "first-order-of-all"}, {"order": "second-order-of-all"}]
    told = script(
        [
            talk(1, "GET /a", 200, said={"orders": orders}),
            talk(2, "GET /o/second-order-of-all", 200),
        ]
    )
    assert "ORDER=$(member order 2)" in told
    assert '"${BASE}/o/${ORDER}"' in told


def test_what_no_script_can_send_is_left_out_and_the_first_lines_say_so() -> None:
    """RFC 9449 §11.1: a proof is good once."""
    cut = talk(11, "POST /a", 200)
    cut.lines.append(Body(text="x", size=9, note="cut: 8 of 9 characters left out"))
    proven = [
        talk(12, "POST /token", 200, fields={"DPoP": "‹aaaaaa›"}),
        talk(13, "POST /mcp", 200, fields={"Authorization": "DPoP ‹bbbbbb›"}),
    ]
    unanswered = Exchange(14, 0, [Request(method="GET", target="/")])
    told = list(curl([cut, *proven, unanswered, TALK[2], TALK[0]]))
    assert told[:4] == [
        "# Left out: #14: nobody has answered.",
        "# Left out: #11: its body was not recorded whole.",
        "# Left out: #12, #13: a DPoP proof is good once, and a script can make no other"
        " (RFC 9449 section 11.1).",
        OPENING.rstrip(),
    ]
    assert len([line for line in told if line.startswith("step ")]) == 1


def test_a_stream_whose_end_nobody_saw_is_left_after_a_while() -> None:
    kind = {"Content-Type": "text/event-stream"}
    result = Frame(text='data: {"jsonrpc":"2.0","id":1,"result":{}}')
    cut, ended = (talk(n, "GET /mcp", 200, answered=kind) for n in (1, 2))
    ended.lines.append(result)
    assert re.findall(r"step.*|.*max-time.*", script([cut, ended])) == [
        'step "1. client to mcp: GET /mcp"',
        "  --max-time 2",
        'step "2. client to mcp: GET /mcp"',
    ]


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
    pasted = "\n".join([*curl(TALK), "echo $? still here\n"]).replace("curl ", "false ")
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
        pytest.param(
            [
                talk(1, "GET /a", 200, answered={"set-cookie": "c$(touch pwned)=‹aaaaaa›"}),
                talk(2, "GET /b", 200,
                     fields={"Cookie": "c$(touch pwned)=‹aaaaaa›", "X`touch pwned`": "‹aaaaaa›"}),
            ],
            id="the-name-of-a-cookie-and-of-a-field",
        ),
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


def test_no_variable_is_one_that_the_shell_obeys() -> None:
    """A member called path is none of its PATH."""
    told = script([talk(1, "GET /a", 200, said={"path": "a-path-of-the-shop"}),
                   talk(2, "GET /a-path-of-the-shop", 200)])  # fmt: skip
    assert "_PATH=$(member path)" in told


def test_a_body_that_begins_like_a_file_is_sent_as_it_is() -> None:
    """Curl would send the file."""
    exchange = talk(1, "POST /a", 200)
    exchange.lines.insert(1, Body(way=">", type="text/plain", text="@/etc/hostname", size=14))
    assert '--data-raw "@/etc/hostname"' in "\n".join(curl([exchange]))


@pytest.mark.parametrize("target", ["@evil.example/x", "http://evil.example/", "*"])
def test_no_target_of_a_stranger_leads_a_script_elsewhere(target: str) -> None:
    """RFC 3986 §3.2.1: what stands before an @ is a user, and the server is what comes after."""
    script = "\n".join(curl([talk(1, f"GET {target}", 400), talk(2, "GET /a", 200)]))
    assert script.startswith("# Left out: #1: it asks for no path of the server")
    assert "evil" not in script
    with pytest.raises(RecordingRefused, match="no path of the server"):
        again(talk(1, f"GET {target}", 400))
