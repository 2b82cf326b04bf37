"""Host, Origin, preflight, path, method: rows N1 to N6, H38, H39, H44."""

from __future__ import annotations

from typing import Final

import pytest

from catshop.kernel import Event, Trace, Unavailable
from catshop.limits import HttpLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import Cors, Guard, LoopbackOrigins
from catshop.protocol.http1.heads import read_head
from catshop.protocol.http1.messages import (
    STREAMED,
    Answer,
    Head,
    Leave,
    Request,
    Sink,
    Streamed,
)
from catshop.protocol.http1.routes import Route, Router


class Sent:
    """A channel that remembers how a stream was opened."""

    def __init__(self) -> None:
        self.fields: tuple[tuple[str, str], ...] = ()

    async def read_body(self, limit: int) -> bytes:
        return b"x" * min(limit, 3)

    async def open_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave
    ) -> Sink:
        self.fields = fields
        return self

    async def send(self, data: bytes) -> None: ...

    async def close(self) -> None: ...

    async def wait_draining(self) -> None: ...


async def ok(_: Request) -> Answer:
    return Answer(200, body=b"ok")


async def refuse(_: Request) -> Answer:
    raise HttpError(401, "E-HTTP-40", fields=(("www-authenticate", "Bearer"),))


async def busy(_: Request) -> Answer:
    raise Unavailable("E-HTTP-53", "later")


async def stream(request: Request) -> Streamed:
    assert await request.body() == b"xxx"
    await request.stream(200, (("content-type", "text/event-stream"),), leave=Leave.CANCELS)
    await request.wait_draining()
    return STREAMED


ROUTES: Final = (
    Route("/mcp", {"POST": ok, "GET": stream, "DELETE": refuse, "PUT": busy}, Cors.LISTED),
    Route("/meta", {"GET": ok}, Cors.ANY),
    Route("/page", {"GET": ok, "POST": ok}, Cors.NONE),
    Route("/static/*", {"GET": ok}, Cors.NONE),
)
GUARD: Final = Guard(
    frozenset({"localhost", "127.0.0.1", "[::1]", "shop.example:8443"}),
    frozenset({"https://app.example"}),
)


def head(line: str, *fields: str, host: str = "localhost:8000") -> Head:
    text = "\r\n".join((f"{line} HTTP/1.1", f"Host: {host}", *fields, "", ""))
    return read_head(text.encode(), HttpLimits())


async def ask(
    line: str,
    *fields: str,
    host: str = "localhost:8000",
    guard: Guard = GUARD,
    channel: Sent | None = None,
) -> Answer | Streamed:
    request = Request(head(line, *fields, host=host), channel or Sent(), "id", "::1", 1000)
    return await Router(ROUTES, guard, Trace())(request)


async def answer(line: str, *fields: str, host: str = "localhost:8000") -> Answer:
    answered = await ask(line, *fields, host=host)
    assert isinstance(answered, Answer)
    return answered


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:9", "shop.example:8443"]
)
async def test_a_listed_host_is_served(host: str) -> None:
    """Row N1. RFC 9110 §7.4, §4.2.3."""
    assert (await answer("POST /mcp", host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "shop.example", "shop.example:1", "localhost.evil.com", "127.0.0.1.evil"],
)
@pytest.mark.parametrize("path", ["/mcp", "/meta", "/page", "/none", "http://localhost/mcp"])
async def test_a_host_that_is_not_listed_is_misdirected(host: str, path: str) -> None:
    """Rows N1, N4. RFC 9110 §7.4, RFC 9112 §3.2.2."""
    if path.startswith("http"):
        assert (await answer(f"POST {path}", host=host)).status == 200
        path = f"http://{host}/mcp"
        host = "localhost"
    with pytest.raises(HttpError, match="421 E-HOST-01"):
        await ask(f"POST {path}", "Origin: http://localhost:3000", host=host)


async def test_http_1_0_without_a_host_is_misdirected() -> None:
    """RFC 9110 §7.4."""
    request = Request(
        read_head(b"GET /meta HTTP/1.0\r\n\r\n", HttpLimits()), Sent(), "id", "::1", 1000
    )
    with pytest.raises(HttpError, match="421 E-HOST-01"):
        await Router(ROUTES, GUARD, Trace())(request)


GOOD: Final = (
    "https://app.example", "https://APP.example:443", "http://localhost:3000", "http://127.0.0.1",
    "https://[::1]:1", "http://localhost:8000",
)  # fmt: skip
BAD: Final = (
    "http://evil.example", "null", "http://localhost.evil.com", "http://127.0.0.1.evil",
    "http://localhost:3000@evil", "http://app.example", "https://app.example:8443", "",
    "https://app.example/", "https://app.example https://app.example", "http://evil.example:8000",
)  # fmt: skip


@pytest.mark.parametrize("origin", GOOD)
async def test_a_page_of_a_listed_origin_may_read_every_answer(origin: str) -> None:
    """Row N5. Refusals too. MCP 2025-11-25 basic/transports §security-warning, RFC 6761 §6.3."""
    for method, status in (("POST", 200), ("DELETE", 401), ("PUT", 503), ("PATCH", 405)):
        fields = (await answer(f"{method} /mcp", f"Origin: {origin}")).fields
        answered = await answer(f"{method} /mcp", f"Origin: {origin}")
        assert answered.status == status
        shown = dict(fields)
        assert shown["access-control-allow-origin"] == origin.lower().removesuffix(":443")
        assert shown["vary"] == "Origin"
        assert "Mcp-Session-Id" in shown["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in shown


@pytest.mark.parametrize("origin", BAD)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
async def test_a_page_of_another_origin_is_refused(origin: str, method: str) -> None:
    """Rows N2, N6. MCP 2025-11-25 basic/transports §security-warning."""
    asks = "Access-Control-Request-Method: POST"
    with pytest.raises(HttpError, match="403 E-ORIGIN-01") as refusal:
        await ask(f"{method} /mcp", f"Origin: {origin}", asks)
    assert not refusal.value.fields


async def test_two_origins_are_refused() -> None:
    """RFC 6454 §6."""
    with pytest.raises(HttpError, match="400 E-HTTP-20"):
        await ask("POST /mcp", "Origin: http://localhost", "Origin: http://localhost")


async def test_a_request_without_origin_is_served() -> None:
    """Row N3."""
    assert (await answer("POST /mcp")).fields == ()


async def test_loopback_origins_can_be_switched_off_but_the_own_one_cannot() -> None:
    """MCP 2025-11-25 basic/transports §security-warning."""
    guard = Guard(GUARD.hosts, frozenset(), LoopbackOrigins.REFUSED)
    with pytest.raises(HttpError, match="403 E-ORIGIN-01"):
        await ask("POST /mcp", "Origin: http://localhost:3000", guard=guard)
    own = await ask("POST /mcp", "Origin: http://localhost:8000", guard=guard)
    assert isinstance(own, Answer)
    assert own.status == 200


async def test_the_own_origin_is_known_with_and_without_its_default_port() -> None:
    """RFC 6454 §4."""
    guard = Guard(frozenset({"shop"}), loopback_origins=LoopbackOrigins.REFUSED)
    for host, origin in (
        ("shop", "https://shop"),
        ("shop:443", "https://shop"),
        ("shop:80", "http://shop"),
    ):
        answered = await ask("POST /page", f"Origin: {origin}", host=host, guard=guard)
        assert isinstance(answered, Answer)
    with pytest.raises(HttpError, match="403 E-ORIGIN-01"):
        await ask("POST /page", "Origin: http://shop", host="shop:443", guard=guard)


async def test_a_preflight_is_answered_before_anybody_asks_for_a_token() -> None:
    """Row N5. Fetch §3.3."""
    answered = await answer(
        "OPTIONS /mcp",
        "Origin: http://localhost:3000",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization, Mcp-Param-Region, x-other",
    )
    shown = dict(answered.fields)
    assert answered.status == 204
    assert shown["access-control-allow-origin"] == "http://localhost:3000"
    assert {"POST", "GET", "DELETE"} <= set(shown["access-control-allow-methods"].split(", "))
    allowed = set(shown["access-control-allow-headers"].split(", "))
    assert allowed >= {
        "Authorization", "Content-Type", "DPoP", "Last-Event-ID", "MCP-Protocol-Version",
        "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Mcp-Param-Region",
    }  # fmt: skip
    assert "x-other" not in allowed
    assert shown["vary"] == "Origin"
    assert "access-control-allow-credentials" not in shown


@pytest.mark.parametrize(
    "name", ["mcp-param-y z", "mcp-param-<b>", "mcp-param-\u00e9", 'mcp-param-"', "mcp-param-a:b"]
)
async def test_a_preflight_is_told_of_nothing_that_cannot_be_the_name_of_a_field(name: str) -> None:
    """RFC 9110 §5.6.2: a name is a token."""
    answered = await answer(
        "OPTIONS /mcp",
        "Origin: http://localhost:3000",
        "Access-Control-Request-Method: POST",
        f"Access-Control-Request-Headers: {name}, mcp-param-region",
    )
    allowed = dict(answered.fields)["access-control-allow-headers"]
    assert allowed.endswith("Mcp-Name, mcp-param-region")


async def test_a_public_document_may_be_read_by_every_page() -> None:
    for origin in ((), ("Origin: null",), ("Origin: http://evil.example",)):
        answered = await answer("GET /meta", *origin)
        assert ("access-control-allow-origin", "*") in answered.fields


async def test_a_page_is_served_to_its_own_origin_alone() -> None:
    """RFC 6454 §4."""
    assert (await answer("POST /page", "Origin: http://localhost:8000")).status == 200
    for origin in ("null", "http://localhost:3000", "https://app.example"):
        with pytest.raises(HttpError, match="403 E-ORIGIN-01"):
            await ask("POST /page", f"Origin: {origin}")


async def test_a_stream_can_be_read_by_the_page_that_asked() -> None:
    channel = Sent()
    answered = await ask("GET /mcp", "Origin: http://localhost:1", channel=channel)
    assert answered is STREAMED
    assert ("access-control-allow-origin", "http://localhost:1") in channel.fields


@pytest.mark.parametrize("path", ["/", "/mcp/", "/MCP", "/%6dcp", "//mcp", "/mcp/..", "/static"])
async def test_an_unknown_path_is_404_and_nothing_is_decoded_to_find_it(path: str) -> None:
    """RFC 9110 §15.5.5."""
    with pytest.raises(HttpError, match="404 E-HTTP-40"):
        await ask(f"GET {path}")


@pytest.mark.parametrize("path", ["%2e%2e/x", "../x", "a/%2E./x", "a/./x", "a/.%2e"])
async def test_a_path_that_climbs_is_404(path: str) -> None:
    """Row H44. RFC 3986 §3.3."""
    with pytest.raises(HttpError, match="404 E-HTTP-40"):
        await ask(f"GET /static/{path}")
    assert (await answer("GET /static/css/..main.css")).status == 200


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "PUT"])
async def test_a_method_that_a_route_lacks_is_405_with_allow(method: str) -> None:
    """Row H38. RFC 9110 §15.5.6, §10.2.1, §9.3.8."""
    with pytest.raises(HttpError, match="405 E-HTTP-41") as refusal:
        await ask(f"{method} /page")
    assert refusal.value.fields == (("allow", "GET, HEAD, OPTIONS, POST"),)


async def test_head_comes_with_get_and_options_with_everything() -> None:
    """Row H39. RFC 9110 §9.3, §9.3.2, §9.3.7."""
    assert (await answer("HEAD /page")).status == 200
    assert (await answer("OPTIONS /page")).fields == (("allow", "GET, HEAD, OPTIONS, POST"),)
    assert (await answer("OPTIONS *")).status == 204


def test_two_routes_for_one_path_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes"):
        Router([ROUTES[1], ROUTES[1]], GUARD, Trace())


async def test_checks_are_traced_with_their_verdicts() -> None:
    seen: list[Event] = []
    trace = Trace()
    trace.observe(seen.append)
    router = Router(ROUTES, GUARD, trace)
    for host, origin in (
        ("localhost", "http://localhost"),
        ("localhost", "null"),
        ("evil", "null"),
    ):
        request = Request(head("POST /mcp", f"Origin: {origin}", host=host), Sent(), "id", "", 1)
        try:
            await router(request)
        except HttpError:
            continue
    assert [f"{event.name} {event.verdict}" for event in seen] == [
        "host.listed ok",
        "origin.listed ok",
        "host.listed ok",
        "origin.listed NO",
        "host.listed NO",
    ]
