"""The one way out: what is dialled, what is read, what is remembered."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest
from anyio.abc import ByteStream

from catshop.kernel import Trace
from catshop.limits import FetchLimits
from catshop.oauth.fetch import (
    Ask,
    Fetched,
    Fetcher,
    FetchFailed,
    Internet,
    Kept,
    Reach,
    freshness,
    is_public,
    permitted,
)
from catshop.protocol.http1.server import port_of
from tests.oauth.cases import case, each
from tests.oauth.house import Clock
from tests.oauth.world import (
    ADDRESS,
    LOOPBACKS,
    Reply,
    Site,
    World,
    answering,
    certified,
    raw,
    site,
    trusting,
)

LIMITS = FetchLimits()
ASK = Ask(LIMITS.octets, LIMITS.seconds)
HOST = "client.example"
URL = f"https://{HOST}/client.json"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def fetcher(world: World) -> Fetcher:
    return Fetcher(LIMITS, Trace(), internet=world, tls=trusting)


async def refused(fetcher: Fetcher, url: str = URL, ask: Ask = ASK) -> str:
    """The code with which the fetch of `url` fails."""
    with pytest.raises(FetchFailed) as found:
        await fetcher.fetch(url, ask)
    return found.value.code


MISREAD = [
    *each(
        case("C1", "an address that could be misread is not even looked up"),
        {
            "http": "http://client.example/c",
            "ftp": "ftp://client.example/c",
            "fragment": "https://client.example/c#f",
            "user": "https://user@client.example/c",
            "control": "https://client.example/\x00",
            "backslash": "https:/\\client.example/c",
            "no-host": "https:///c",
            "port": "https://client.example:0/c",
            "large-port": "https://client.example:99999/c",
            "bracket": "https://[::1/c",
        },
    ),
    *each(
        case("C4", "digits of another width are no address"),
        {"full-width": "https://\uff11\uff12\uff17.0.0.1/c"},
    ),
]


@pytest.mark.parametrize("url", MISREAD)
async def test_an_address_that_could_be_misread_is_not_looked_up(
    fetcher: Fetcher, world: World, url: str
) -> None:
    """RFC 3986 §2, §3.2.2."""
    assert await refused(fetcher, url) == "E-FETCH-01"
    assert world.looked_up == world.dialled == []


@case("C2", "an address that is not public is never dialled")
@case("C5", "an address that is not public spoils those beside it, whatever the order")
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "fc00::1",
        "fe80::1",
        "fe80::1%lo",
        "ff02::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:93.184.215.14",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "not an address",
    ],
)
async def test_an_address_that_is_not_public_is_never_dialled(
    fetcher: Fetcher, world: World, address: str
) -> None:
    """RFC 6890 §2.2; RFC 6052 §2.1; RFC 3056 §2.

    MCP 2026-07-28 basic/authorization/security-considerations
    §client-id-metadata-document-security.
    """
    for answer in ([address], [address, ADDRESS], [ADDRESS, address]):
        world.lead(HOST, answer)
        assert await refused(fetcher) == "E-FETCH-02"
    assert world.dialled == []
    assert is_public(ADDRESS)
    assert is_public("2606:4700::1111")


@case("C4", "another spelling of this computer is judged by what the resolver makes of it")
@pytest.mark.parametrize("host", LOOPBACKS)
async def test_another_spelling_of_loopback_leads_nowhere(world: World, host: str) -> None:
    """RFC 6890 §2.2. The real resolver reads it, and what it found is judged."""
    assert await refused(Fetcher(LIMITS, Trace(), internet=world), f"https://{host}/c") in {
        "E-FETCH-02",
        "E-FETCH-03",
    }
    assert world.dialled == []


@case("C6", "a name is looked up once, the judged address is dialled, and asked for the name")
async def test_a_second_lookup_cannot_lead_elsewhere(fetcher: Fetcher, world: World) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations
    §client-id-metadata-document-security.
    """
    named: list[str | None] = []
    tls = certified(HOST, 9)
    tls.sni_callback = lambda _, name, __: named.append(name)
    async with site(world, HOST, answering("{}"), tls) as here:
        world.lead(HOST, [ADDRESS], ["127.0.0.1"])
        assert (await fetcher.fetch(URL, ASK)).body == b"{}"
    assert world.looked_up == [HOST]
    assert world.dialled == [ADDRESS]
    assert here.requests[0].split("\r\n")[1] == f"Host: {HOST}"
    assert named == [HOST]


@case("C21", "a request holds no cookie, no credential and no Referer, and goes through no proxy")
@case("C9", "a request asks for a document that is not packed")
async def test_a_request_carries_nothing_of_ours(
    fetcher: Fetcher, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9110 §10.1.3, §12.5.3."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with site(world, HOST, answering("{}")) as here:
        await fetcher.fetch(URL, ASK)
    lines = here.requests[0].split("\r\n")
    assert lines[0] == "GET /client.json HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in lines[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert "accept-encoding: identity" in lines


BOMB = gzip.compress(b"0" * 10_000_000)
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"

UNUSED = [
    *each(
        case("C7", "a redirect is not followed, whatever its kind"),
        {
            str(status): (answering("", status, location=URL), "E-FETCH-05")
            for status in (301, 302, 303, 307, 308)
        },
    ),
    *each(
        case("C8", "what does not come with 200 is no document"),
        {str(code): (answering("{}", code), "E-FETCH-05") for code in (201, 404, 500)},
    ),
    *each(
        case("C9", "the size is held to what was sent, to what comes, and to nothing packed"),
        {
            "length": (answering(" " * 5121), "E-FETCH-06"),
            "chunked": (raw(CHUNKED + b"1401\r\n" + b" " * 5121 + b"\r\n0\r\n\r\n"), "E-FETCH-06"),
            "gzip": (answering(BOMB, content_encoding="gzip", content_length=""), "E-FETCH-07"),
        },
    ),
    *each(
        case("C11", "what does not say that it is JSON is no document"),
        {
            "html": (answering("{}", content_type="text/html"), "E-FETCH-07"),
            "no-type": (answering("{}", content_type=""), "E-FETCH-07"),
        },
    ),
    pytest.param(raw(b"nonsense\r\n\r\n"), "E-FETCH-03", id="no-http"),
    pytest.param(answering("{}", content_length="9"), "E-FETCH-03", id="shorter-than-it-says"),
]


@pytest.mark.parametrize(("reply", "code"), UNUSED)
async def test_an_answer_that_is_no_small_document_is_not_used(
    fetcher: Fetcher, world: World, reply: Reply, code: str
) -> None:
    """RFC 9110 §15.3, §15.4."""
    async with site(world, HOST, reply) as here:
        assert await refused(fetcher) == code
        assert here.asked == 1
    assert world.dialled == [ADDRESS]


async def test_a_body_of_just_the_size_is_read(fetcher: Fetcher, world: World) -> None:
    """RFC 6839 §3.1."""
    async with site(world, HOST, answering(" " * 5120, content_type="application/x+json")):
        assert len((await fetcher.fetch(URL, ASK)).body) == 5120


HEAD = b"HTTP/1.1 200 OK\r\n"
BODY = HEAD + b"content-type: application/json\r\ncontent-length: 4999\r\n\r\n{"


def dripping(start: bytes, drop: bytes) -> Reply:
    """A start, and then a drop for ever: no pause is long, but there is no end."""

    async def reply(_: Site, stream: ByteStream) -> None:
        await stream.send(start)
        while True:
            await anyio.sleep(0.02)  # the pace of the server, not of the test
            await stream.send(drop)

    return reply


@case("C10", "a server gets seconds for the whole, however it spends them")
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(raw(HEAD + b"x: ", anyio.sleep_forever), id="head"),
        pytest.param(raw(BODY, anyio.sleep_forever), id="body"),
        pytest.param(dripping(HEAD, b"x: y\r\n"), id="endless-head"),
        pytest.param(dripping(BODY, b" "), id="octet-by-octet"),
    ],
)
async def test_a_server_that_does_not_come_to_an_end_is_left(
    fetcher: Fetcher, world: World, reply: Reply
) -> None:
    """RFC 9112 §9.5: the time is for the whole, from the lookup to the last octet."""
    async with site(world, HOST, reply):
        with anyio.fail_after(10):
            assert await refused(fetcher, ask=replace(ASK, seconds=0.2)) == "E-FETCH-04"
    assert LIMITS.seconds <= 5


@case("C10", "a handshake that stalls is left")
async def test_a_handshake_that_stalls_is_left(fetcher: Fetcher, world: World) -> None:
    """A listener that never says a word of TLS."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as silent:
        world.lead(HOST, [ADDRESS])
        world.ports[ADDRESS] = port_of(silent.listeners[0])
        with anyio.fail_after(10):
            assert await refused(fetcher, ask=replace(ASK, seconds=0.2)) == "E-FETCH-04"


@case("C15", "a certificate that has run out, is for another, or vouches for itself ends it")
@pytest.mark.parametrize(
    "tls",
    [
        pytest.param(lambda: certified(HOST, -1), id="expired"),
        pytest.param(lambda: certified("other.example"), id="other-name"),
        pytest.param(lambda: certified(HOST, by_itself=True), id="self-signed"),
    ],
)
async def test_a_certificate_that_is_not_good_ends_it(
    fetcher: Fetcher, world: World, tls: Callable[[], ssl.SSLContext]
) -> None:
    """OAuth 2.1 §7.13; RFC 9110 §4.3.4. The server is asked nothing."""
    async with site(world, HOST, answering("{}"), tls()) as here:
        assert await refused(fetcher) == "E-FETCH-03"
        assert here.asked == 0


async def test_a_name_that_nobody_knows_is_a_failure_of_its_own() -> None:
    class Nowhere(Internet):
        async def resolve(self, host: str, port: int) -> list[str]:
            raise OSError("unknown")

    assert await refused(Fetcher(LIMITS, Trace(), internet=Nowhere())) == "E-FETCH-03"


async def test_the_next_address_is_tried_when_one_is_down(fetcher: Fetcher, world: World) -> None:
    async with site(world, HOST, answering("{}")):
        world.lead(HOST, ["93.184.215.15", ADDRESS])
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as gone:
            world.ports["93.184.215.15"] = port_of(gone.listeners[0])
        assert (await fetcher.fetch(URL, ASK)).body == b"{}"
    assert world.dialled == ["93.184.215.15", ADDRESS]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/c", "http://localhost:1/c", "http://[::1]:1/c"]
)
def test_http_on_this_machine_is_read_in_development_only(url: str) -> None:
    """OAuth 2.1 §1.5."""
    assert permitted(url, Reach.DEVELOPMENT).scheme == "http"
    for other, reach in ((url, Reach.PUBLIC), ("http://10.0.0.1/c", Reach.DEVELOPMENT)):
        with pytest.raises(FetchFailed):
            permitted(other, reach)


async def test_localhost_must_be_this_machine(world: World) -> None:
    """C6: a resolver that says otherwise is not believed."""
    world.lead("localhost", ["10.0.0.1"])
    fetcher = Fetcher(LIMITS, Trace(), Reach.DEVELOPMENT, internet=world)
    assert await refused(fetcher, "http://localhost:1/c") == "E-FETCH-02"
    assert world.dialled == []


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("", None),
        ("max-age=10", 10),
        ("public, MAX-AGE=20", 20),
        ("max-age=1, no-store", 0),
        ("no-cache", 0),
        ("max-age=x", None),
    ],
)
def test_a_sender_says_how_long_it_stays_true(sent: str, seconds: int | None) -> None:
    """RFC 9111 §5.2.2."""
    assert freshness(sent) == seconds


@pytest.fixture
def kept(fetcher: Fetcher, clock: Clock) -> Kept[bytes]:
    def read(_: str, fetched: Fetched) -> bytes:
        if fetched.body == b"bad":
            raise FetchFailed("E-FETCH-07")
        return fetched.body

    return Kept(fetcher, read, clock)


@case("C16", "a document is kept as long as it says, but a minute at least and a day at most")
@pytest.mark.parametrize(
    ("cache_control", "good", "over"),
    [
        pytest.param("max-age=10", 59, 60, id="brief"),
        pytest.param("max-age=600", 599, 600, id="as-said"),
        pytest.param("max-age=315360000", 86_399, 86_400, id="ten-years"),
    ],
)
async def test_a_document_is_kept_as_long_as_its_sender_says_within_bounds(
    kept: Kept[bytes], world: World, clock: Clock, cache_control: str, good: int, over: int
) -> None:
    """RFC 9111 §5.2.2."""
    async with site(world, HOST, answering("{}", cache_control=cache_control)) as here:
        await kept.get(URL, ASK)
        clock.forward(good)
        assert await kept.get(URL, ASK) == b"{}"
        assert here.asked == 1
        clock.forward(over - good)
        await kept.get(URL, ASK)
        assert here.asked == 2


@case("C16", "what may not be kept is fetched each time")
async def test_what_may_not_be_kept_is_fetched_each_time(kept: Kept[bytes], world: World) -> None:
    """RFC 9111 §5.2.2."""
    async with site(world, HOST, answering("{}", cache_control="no-store")) as here:
        for _ in range(2):
            await kept.get(URL, ASK)
        assert here.asked == 2


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answering("", 500), marks=case("C8", "a failure is not kept"), id="500"),
        pytest.param(answering("bad"), marks=case("C11", "a failure is not kept"), id="bad"),
    ],
)
async def test_a_failure_is_not_kept(kept: Kept[bytes], world: World, reply: Reply) -> None:
    """RFC 9111 §3."""
    async with site(world, HOST, reply) as here:
        with pytest.raises(FetchFailed):
            await kept.get(URL, ASK)
        here.reply = answering("{}")
        assert await kept.get(URL, ASK) == b"{}"


@case("C18", "a hundred who ask together make one fetch, and are told the same")
@pytest.mark.parametrize(("body", "outcome"), [("{}", "ok"), ("bad", "E-FETCH-07")])
async def test_a_hundred_who_ask_together_make_one_fetch(
    kept: Kept[bytes], world: World, body: str, outcome: str
) -> None:
    """RFC 9111 §4."""
    told: list[str] = []

    async def ask() -> None:
        try:
            await kept.get(URL, ASK)
        except FetchFailed as failure:
            told.append(failure.code)
        else:
            told.append("ok")

    async with site(world, HOST, answering(body)) as here:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(ask)
        assert here.asked == 1
        assert told == [outcome] * 100
        here.reply = answering("{}")
        assert await kept.get(URL, ASK) == b"{}", "a failure is told to those who waited, and gone"


async def test_who_waits_fetches_when_the_first_has_gone(kept: Kept[bytes], world: World) -> None:
    """A browser that leaves takes nobody else's document along."""
    asked, told = anyio.Event(), anyio.Event()
    reply = answering("{}")

    async def stall(here: object, stream: object) -> None:
        asked.set()
        await anyio.sleep_forever()

    async def wait() -> None:
        assert await kept.get(URL, ASK) == b"{}"
        told.set()

    async with site(world, HOST, stall) as here, anyio.create_task_group() as tasks:
        first = anyio.CancelScope()

        async def lead() -> None:
            with first:
                await kept.get(URL, ASK)

        tasks.start_soon(lead)
        with anyio.fail_after(10):
            await asked.wait()
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            here.reply = reply
            first.cancel()
            await told.wait()
        assert here.asked == 2


@case("C17", "so many documents are kept; the least used goes first")
async def test_only_so_many_are_kept_and_the_least_used_goes(world: World, clock: Clock) -> None:
    """RFC 9111 §4.2.2."""
    fetcher = Fetcher(replace(LIMITS, kept=2), Trace(), internet=world, tls=trusting)
    kept = Kept(fetcher, lambda _, fetched: fetched.body, clock)
    async with site(world, HOST, answering("{}", cache_control="max-age=600")):
        for name in ("a", "b", "a", "c"):
            await kept.get(f"https://{HOST}/{name}", ASK)
    found = [name for name in ("a", "b", "c") if kept.known(f"https://{HOST}/{name}")]
    assert found == ["a", "c"]


@case("C17", "so many fetches run at once, fewer at one host, and the rest wait or are told so")
async def test_only_so_many_are_on_their_way() -> None:
    """RFC 9110 §15.6.4: eight at once, two at one host, the others wait or are told so."""

    class Slow(World):
        async def resolve(self, host: str, port: int) -> list[str]:
            self.looked_up.append(host)
            await anyio.sleep_forever()
            return []

    world = Slow()
    limits = replace(LIMITS, at_once=3, per_host=2, waiting=1)
    fetcher = Fetcher(limits, Trace(), internet=world)
    answered: list[str] = []

    async def ask(name: str) -> None:
        answered.append(await refused(fetcher, f"https://{name}/c"))

    async with anyio.create_task_group() as tasks:
        for name in (HOST, HOST, HOST, "other.example", "other.example"):
            tasks.start_soon(ask, name)
        with anyio.fail_after(10):
            await anyio.wait_all_tasks_blocked()
        assert answered == ["E-FETCH-09"]
        assert len(world.looked_up) == 3
        assert world.looked_up.count(HOST) <= 2
        tasks.cancel_scope.cancel()
