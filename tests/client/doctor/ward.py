"""A small server in good health, and one patient for each symptom: the same server, with one fault.

`Healthy` is a guarded server of the handshake era and its own authorization server, on one socket.
A patient overrides the one method in which its fault is. The number is that of the symptom in the
list of what users run into most; the code and a piece of the fix are what the doctor must say.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio

from catshop.client.doctor.chart import Chart, Health
from catshop.client.doctor.ladder import Rung, climb, enough
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.memory import Held, Memory
from catshop.client.oauth.registration import Client
from catshop.client.oauth.sending import sending
from catshop.client.oauth.steps import Sources
from catshop.kernel import Secret, Trace, utc_now
from catshop.limits import HttpLimits
from catshop.protocol.http1.messages import Answer, Request, json_answer
from catshop.protocol.http1.server import Server, bind, port_of

GOOD: Final = "good"
SESSION: Final = "session-1"
ADD: Final = {"name": "add", "inputSchema": {"type": "object", "properties": {}}}
CORS: Final = (
    ("access-control-allow-origin", "*"),
    (
        "access-control-allow-headers",
        "authorization, content-type, mcp-protocol-version, mcp-session-id",
    ),
    ("access-control-expose-headers", "mcp-session-id, www-authenticate"),
)
HTML: Final = ("content-type", "text/html")


class Healthy:
    """Nothing is wrong with it."""

    path = "/mcp"
    """What is typed after the origin."""
    known = False
    """Whether we registered here before."""
    token = GOOD

    def __init__(self, base: str) -> None:
        self.base = base

    @property
    def url(self) -> str:
        """What the user types."""
        return self.base + self.path

    # --- What the user holds ---

    def memory(self) -> Memory:
        """A token, and a client where there is one."""
        tokens = Tokens(self.base, f"{self.base}/mcp", "cat", Secret(self.token))
        client = Client("cat", self.base, redirect_uris=("http://127.0.0.1:4000/callback",))
        memory = Memory(held={(self.base, f"{self.base}/mcp"): Held(tokens)})
        return memory.with_client(client) if self.known else memory

    # --- One request ---

    async def __call__(self, request: Request) -> Answer:
        """Answer it, in a way that a page could read."""
        body = await request.body()
        answer = self.answer(request, body)
        return Answer(answer.status, (*answer.fields, *self.cors()), answer.body)

    def answer(self, request: Request, body: bytes) -> Answer:
        """By path."""
        head = request.head
        answers: dict[str, Callable[[], Answer]] = {
            "/mcp": lambda: self.mcp(request, body),
            "/mcp/": lambda: self.mcp(request, body),
            "/.well-known/oauth-protected-resource/mcp": lambda: json_answer(200, self.protected()),
            "/.well-known/oauth-authorization-server": lambda: json_answer(200, self.metadata()),
            "/register": lambda: self.register(json.loads(body)),
            "/authorize": lambda: self.authorize(dict(parse_qsl(head.query))),
            "/token": lambda: json_answer(400, {"error": "invalid_request"}),
        }
        return answers.get(head.path, lambda: Answer(404))()

    def cors(self) -> tuple[tuple[str, str], ...]:
        """What a page may do."""
        return CORS

    def mcp(self, request: Request, body: bytes) -> Answer:
        """The endpoint."""
        if request.head.method == "OPTIONS":
            return Answer(204)
        if request.head.method != "POST":
            return Answer(405)
        refusal = self.guard(request.fields.get("authorization") or "")
        return refusal or self.message(json.loads(body), request.fields.get("mcp-session-id"))

    # --- OAuth ---

    def guard(self, shown: str) -> Answer | None:
        """The refusal; None for a good token."""
        return None if shown == f"Bearer {GOOD}" else self.refusal()

    def refusal(self) -> Answer:
        """401 and the way."""
        value = f'Bearer resource_metadata="{self.sign()}"'
        return json_answer(401, {"error": "invalid_token"}, ("www-authenticate", value))

    def sign(self) -> str:
        """Where the way is told."""
        return f"{self.base}/.well-known/oauth-protected-resource/mcp"

    def protected(self) -> dict[str, object]:
        """RFC 9728 §2."""
        return {"resource": f"{self.base}/mcp", "authorization_servers": [self.base]}

    def metadata(self) -> dict[str, object]:
        """RFC 8414 §2."""
        return {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "registration_endpoint": f"{self.base}/register",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }

    def register(self, asked: Mapping[str, Any]) -> Answer:
        """RFC 7591 §3.2.1."""
        return json_answer(201, {**asked, "client_id": "cat"})

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """The page, whatever is asked."""
        return Answer(200, (HTML,), b"Sign in")

    def back(self, query: Mapping[str, str], **error: str) -> Answer:
        """A redirect with an error. OAuth 2.1 §4.1.2.1."""
        words = urlencode({**error, "state": query["state"]})
        return Answer(302, (("location", f"{query['redirect_uri']}?{words}"),))

    # --- MCP ---

    def message(self, message: Mapping[str, Any], session: str | None) -> Answer:
        """One message of the handshake era."""
        match message["method"]:
            case "initialize":
                return self.initialize(message)
            case "notifications/initialized":
                return Answer(202)
            case _ if session is None:
                return self.no(message, 400, "Bad Request: Missing session ID")
            case _ if session != SESSION:
                return self.stranger(message)
            case "tools/list":
                return self.tools(message)
        return self.no(message, 400, "Method not found")

    def initialize(self, message: Mapping[str, Any]) -> Answer:
        """A session."""
        about = {"name": "ward", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
        return self.yes(message, {**result, "serverInfo": about}, ("mcp-session-id", SESSION))

    def stranger(self, message: Mapping[str, Any]) -> Answer:
        """A session that is over."""
        return self.no(message, 404, "Session not found")

    def tools(self, message: Mapping[str, Any]) -> Answer:
        """The list."""
        return self.yes(message, {"tools": self.listed()})

    def listed(self) -> object:
        """What there is."""
        return [ADD]

    def yes(
        self, message: Mapping[str, Any], result: Mapping[str, object], *fields: tuple[str, str]
    ) -> Answer:
        """A result."""
        return json_answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": result}, *fields)

    def no(self, message: Mapping[str, Any], status: int, words: str) -> Answer:
        """An error."""
        error = {"code": -32600, "message": words}
        return json_answer(status, {"jsonrpc": "2.0", "id": message["id"], "error": error})


class Open(Healthy):
    """As healthy, and open to everybody."""

    def guard(self, shown: str) -> Answer | None:
        """Nobody is refused."""
        return None


@dataclass(frozen=True)
class Symptom:
    """What a patient has, and what the doctor must say of it."""

    number: int
    patient: type[Healthy]
    code: str
    fix: str
    health: Health
    told: str


SYMPTOMS: Final[list[Symptom]] = []


def symptom(
    number: int, code: str, fix: str, health: Health = Health.FAIL, *, told: str = ""
) -> Callable[[type[Healthy]], type[Healthy]]:
    """Admit a patient; 0 is for a symptom beside the twenty."""

    def admit(patient: type[Healthy]) -> type[Healthy]:
        SYMPTOMS.append(Symptom(number, patient, code, fix, health, told))
        return patient

    return admit


@symptom(1, "E-DOC-10", "order and spacing mean nothing")
class WantsOneType(Healthy):
    """It compares Accept with one text."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        accepted = request.fields.get("accept") == "application/json"
        return super().mcp(request, body) if accepted else json_answer(406, {"error": "no"})


@symptom(2, "E-DOC-30", "send Mcp-Session-Id with the answer")
class NeverNamesTheSession(Healthy):
    """It wants a session back that it never gave."""

    def initialize(self, message: Mapping[str, Any]) -> Answer:
        told = super().initialize(message)
        fields = tuple(each for each in told.fields if each[0] != "mcp-session-id")
        return Answer(told.status, fields, told.body)


@symptom(3, "E-DOC-29", "answer 404")
class ForgetsWithA400(Healthy):
    """After a restart nobody begins anew."""

    def stranger(self, message: Mapping[str, Any]) -> Answer:
        return self.no(message, 400, "Bad Request: No valid session")


@symptom(4, "E-DOC-31", "same one")
class ForgetsTheHandshake(Healthy):
    """The process that was initialized is another."""

    def tools(self, message: Mapping[str, Any]) -> Answer:
        return self.no(message, 200, "Received request before initialization was complete")


@symptom(
    5,
    "E-OAC-03",
    "ISSUER_URL=http://127.0.0.1:",
    told="its hostname is localhost, and 127.0.0.1 was typed",
)
class CallsItselfLocalhost(Healthy):
    """The same machine by another name."""

    def protected(self) -> dict[str, object]:
        named = self.base.replace("127.0.0.1", "localhost")
        return super().protected() | {"resource": f"{named}/mcp"}


@symptom(5, "E-OAC-03", "ISSUER_URL=", told="its path is /api/mcp, and /mcp was typed")
class CallsItselfByAnotherPath(Healthy):
    """The path is not the one that was typed."""

    def protected(self) -> dict[str, object]:
        return super().protected() | {"resource": f"{self.base}/api/mcp"}


@symptom(6, "E-OAC-06", "both with the slash, or both without")
class AddsASlash(Healthy):
    """A type for URLs has put it there."""

    def metadata(self) -> dict[str, object]:
        return super().metadata() | {"issuer": f"{self.base}/"}


@symptom(7, "E-DOC-16", "ISSUER_URL=http://127.0.0.1:")
class DoesNotKnowItsTunnel(Healthy):
    """It tells clients the address that it has behind the tunnel."""

    def sign(self) -> str:
        return super().sign().replace("127.0.0.1", "localhost")


@symptom(7, "E-OAC-01", "over https")
class ForgetsItsScheme(Healthy):
    """Behind a TLS proxy it believes that it is at http."""

    def metadata(self) -> dict[str, object]:
        return super().metadata() | {"token_endpoint": "http://shop.example/token"}


@symptom(8, "E-DOC-05", "CATSHOP_ALLOWED_HOSTS=127.0.0.1:")
class KnowsOtherHosts(Healthy):
    """The guard against DNS rebinding was not told the public name. RFC 9110 §15.5.20."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        return Answer(421, (), b"Invalid Host header")


@symptom(9, "E-DOC-06", "port that it prints", told="ERR_NGROK_8012")
class TunnelToNowhere(Healthy):
    """The server behind the tunnel does not run. RFC 9110 §15.6.3."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        return Answer(502, (HTML, ("ngrok-error-code", "ERR_NGROK_8012")), b"<html>Bad Gateway")


@symptom(10, "E-DOC-07", "ngrok-skip-browser-warning")
class WarnsBrowsers(Healthy):
    """A page stands before the endpoint."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        return Answer(200, (HTML,), b"<!doctype html>You are about to visit")


@symptom(11, "E-DOC-04", "/mcp/")
class RedirectsToTheSlash(Healthy):
    """A mounted application, whose slash is missing."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        return Answer(307, (("location", "/mcp/"),))


@symptom(11, "E-DOC-12", "both spellings", Health.WARN)
class RedirectsTheSlash(Healthy):
    """The other spelling loses the token."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        if request.head.path.endswith("/"):
            return Answer(307, (("location", "/mcp"),))
        return super().mcp(request, body)


@symptom(12, "E-DOC-23", "catshop logout --all")
class ForgotTheClient(Healthy):
    """Its database was emptied."""

    known = True

    def authorize(self, query: Mapping[str, str]) -> Answer:
        return json_answer(400, {"error": "invalid_request", "error_description": "Client ID"})


@symptom(13, "E-DOC-22", "what the server says")
class KnowsNoLoopback(Healthy):
    """It wants localhost where 127.0.0.1 was registered."""

    def authorize(self, query: Mapping[str, str]) -> Answer:
        return json_answer(400, {"error_description": "Redirect URI not registered"})


@symptom(13, "E-DOC-24", "ignore the port", Health.WARN)
class WantsTheSamePort(Healthy):
    """It compares redirect addresses letter by letter."""

    def authorize(self, query: Mapping[str, str]) -> Answer:
        good = urlsplit(query["redirect_uri"]).port == 33418
        return super().authorize(query) if good else json_answer(400, {"error": "no"})


@symptom(14, "E-DOC-21", "same scopes")
class RefusesItsScopes(Healthy):
    """What the resource names the authorization server does not know."""

    def protected(self) -> dict[str, object]:
        return super().protected() | {"scopes_supported": ["cart"]}

    def authorize(self, query: Mapping[str, str]) -> Answer:
        return self.back(query, error="invalid_scope", error_description="not registered with cart")


@symptom(15, "E-DOC-19", "resource_metadata=")
class HidesTheWay(Healthy):
    """No sign, and nothing where one would look."""

    def refusal(self) -> Answer:
        return Answer(401, (("www-authenticate", "Bearer"),))

    def answer(self, request: Request, body: bytes) -> Answer:
        hidden = "well-known" in request.head.path
        return Answer(404) if hidden else super().answer(request, body)


@symptom(15, "E-DOC-15", 'add: WWW-Authenticate: Bearer resource_metadata="http://127.0.0.1')
class RefusesWithoutAWord(Healthy):
    """A gateway that knows nothing of OAuth."""

    def refusal(self) -> Answer:
        return Answer(401)


@symptom(16, "E-DOC-14", "answer OPTIONS without a token", Health.WARN)
class ForgetsPages(Healthy):
    """No page can call it."""

    def cors(self) -> tuple[tuple[str, str], ...]:
        return ()


@symptom(17, "E-DOC-08", "use http://127.0.0.1")
class TypedWithoutThePath(Healthy):
    """Somebody typed the origin alone."""

    path = "/"


@symptom(17, "E-DOC-09", "Streamable HTTP")
class SpeaksTheOldTransport(Healthy):
    """HTTP+SSE, two paths. MCP 2025-11-25 basic/transports §backwards-compatibility."""

    path = "/sse"

    def answer(self, request: Request, body: bytes) -> Answer:
        if (request.head.method, request.head.path) == ("GET", "/sse"):
            stream = ("content-type", "text/event-stream")
            return Answer(200, (stream,), b"event: endpoint\ndata: /messages?id=1\n\n")
        return Answer(405) if request.head.path == "/sse" else Answer(404)


@symptom(18, "E-DOC-25", "catshop login", told="the token is for https://elsewhere.example")
class WantsAnotherAudience(Healthy):
    """The token is genuine, and for another server: its payload says aud elsewhere."""

    token = "e30.eyJhdWQiOiAiaHR0cHM6Ly9lbHNld2hlcmUuZXhhbXBsZSJ9.c2ln"


@symptom(19, "E-DOC-17", "401 at the HTTP level")
class HidesItsRefusal(Healthy):
    """An ended token comes back as a result."""

    def guard(self, shown: str) -> Answer | None:
        if not shown or shown == f"Bearer {GOOD}":
            return super().guard(shown)
        result = {"content": [{"type": "text", "text": "Unauthorized"}], "isError": True}
        return json_answer(200, {"jsonrpc": "2.0", "id": 1, "result": result})


@symptom(20, "E-DOC-11", "lifespan")
class WasNotStarted(Healthy):
    """Mounted without its lifespan."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        return Answer(500, (), b"RuntimeError: Task group is not initialized.")


@symptom(20, "E-DOC-33", "import what registers", Health.WARN)
class HasNoTools(Healthy):
    """The module with the tools was not imported."""

    def listed(self) -> object:
        return []


@symptom(0, "E-DOC-35", "give the tool an inputSchema", told="tool 1, sum: no inputSchema")
class LeavesTheSchemaOut(Healthy):
    """Some clients drop such a tool in silence."""

    def listed(self) -> object:
        return [ADD, {"name": "sum"}]


@symptom(0, "E-DOC-34", "a name of its own")
class NamesTwoAlike(Healthy):
    """Two modules, one name."""

    def listed(self) -> object:
        return [ADD, ADD]


@symptom(0, "E-DOC-32", "answer with an array")
class ListsNothing(Healthy):
    """null is no list."""

    def listed(self) -> object:
        return None


@symptom(0, "E-ANNOTATION-05", "property of its own")
class AnnotatesWhatIsNotThere(Healthy):
    """A header for what is in an array."""

    def listed(self) -> object:
        items = {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}
        return [{"name": "a", "inputSchema": {"type": "object", "properties": {"a": items}}}]


@symptom(0, "E-DOC-27", "what the server says")
class ForgetsTheMethod(Healthy):
    """tools/list, which it declared, is not there."""

    def tools(self, message: Mapping[str, Any]) -> Answer:
        return self.no(message, 200, "Method not found")


@symptom(0, "E-DOC-36", "keep the id as it was parsed", told="'1' in answer to 1")
class AnswersAnotherQuestion(Healthy):
    """The id comes back as text."""

    def yes(
        self, message: Mapping[str, Any], result: Mapping[str, object], *fields: tuple[str, str]
    ) -> Answer:
        return super().yes({"id": str(message["id"])}, result, *fields)


@symptom(0, "E-DOC-37", "every revision")
class RefusesItsOwnRevision(Healthy):
    """A check in front knows older revisions only."""

    def message(self, message: Mapping[str, Any], session: str | None) -> Answer:
        if message["method"] == "notifications/initialized":
            return Answer(400, (), b"Unsupported MCP-Protocol-Version: 2025-11-25")
        return super().message(message, session)


@symptom(0, "E-DOC-28", "202 and no body")
class AnswersNotes(Healthy):
    """A notification is no request."""

    def message(self, message: Mapping[str, Any], session: str | None) -> Answer:
        if message["method"] == "notifications/initialized":
            return Answer(400, (), b"no id")
        return super().message(message, session)


@symptom(0, "E-OAC-07", "client_id", Health.WARN)
class KnowsNoStrangers(Healthy):
    """Clients are agreed beforehand, and nowhere else."""

    def metadata(self) -> dict[str, object]:
        found = super().metadata()
        return {name: value for name, value in found.items() if name != "registration_endpoint"}


@symptom(0, "E-OAC-08", "registered beforehand")
class RegistersNobody(Healthy):
    """It wants grant types that nobody asks for."""

    def register(self, asked: Mapping[str, Any]) -> Answer:
        return json_answer(400, {"error": "invalid_client_metadata"})


@symptom(0, "E-OAC-14", "PKCE")
class OffersNoPkce(Healthy):
    """Older than OAuth 2.1."""

    def metadata(self) -> dict[str, object]:
        return super().metadata() | {"code_challenge_methods_supported": ["plain"]}


@symptom(0, "E-OAC-05", "well-known address")
class HidesItsMetadata(Healthy):
    """The authorization server publishes nothing."""

    def metadata(self) -> dict[str, object]:
        return {"issuer": self.base}


@symptom(0, "E-DOC-20", "mend token_endpoint")
class NamesNoTokenEndpoint(Healthy):
    """The address leads to nothing."""

    def metadata(self) -> dict[str, object]:
        return super().metadata() | {"token_endpoint": f"{self.base}/nothing"}


@symptom(0, "E-DOC-18", "authorization server answers")
class CannotVerify(Healthy):
    """Its authorization server is down."""

    def guard(self, shown: str) -> Answer | None:
        stranger = bool(shown) and shown != f"Bearer {GOOD}"
        return Answer(503, (), b"introspection") if stranger else super().guard(shown)


@symptom(0, "E-DOC-16", "ISSUER_URL")
class SendsItsClientsHome(Healthy):
    """The challenge is at http, and the server somewhere else on this machine."""

    def sign(self) -> str:
        return "http://localhost:1/.well-known/oauth-protected-resource/mcp"


@dataclass
class Examined:
    """Every rung, and what the first with words said."""

    rungs: list[Rung] = field(default_factory=list)

    @property
    def words(self) -> list[Rung]:
        """Rungs with a code, in order."""
        return [rung for rung in self.rungs if rung.finding.code]


@asynccontextmanager
async def admitted(patient: type[Healthy]) -> AsyncIterator[Healthy]:
    """The patient on a socket of its own."""
    listeners = await bind(("127.0.0.1",), 0)
    healthy = patient(f"http://127.0.0.1:{port_of(listeners[0])}")
    server = Server(healthy, limits=HttpLimits(), trace=Trace())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listeners)
        with anyio.fail_after(30):
            yield healthy
        server.stop()


async def examine(url: str, memory: Memory | None = None) -> Examined:
    """The whole ladder."""
    examined = Examined()
    chart = Chart(url, Sources(utc_now, lambda: "x" * 43), memory or Memory())
    async with sending(Trace(), enough) as send:
        assert await climb(chart, send, examined.rungs.append) == examined.rungs
    return examined
