"""The only module that knows every plane: it builds them, joins them, and runs them.

Read `open_house` first: it is the architecture as one function. A database below; the shop's tools
on it; the authorization server beside them; the MCP endpoint in front of both, behind a gate that
asks the OAuth plane who calls and the tools plane what that takes. `serve` then puts the whole on
a socket and takes it off again when a signal says so. Next: any plane, `docs/reading-order.md`.
"""

from __future__ import annotations

import gc
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketListener, TaskGroup
from mcp_types import CallToolRequestParams

from catshop import __version__
from catshop.config import Config
from catshop.conversions import Era as ServedEra
from catshop.kernel import Changes, Clock, Principal, Trace, Unavailable, utc_now
from catshop.limits import ShopLimits
from catshop.oauth import audit
from catshop.oauth.administration import Administration
from catshop.oauth.audited import audited
from catshop.oauth.endpoints import AuthorizationServer
from catshop.oauth.fetch import Fetcher
from catshop.oauth.passwords import Passwords
from catshop.oauth.resource import ResourceServer
from catshop.oauth.scopes import covers
from catshop.oauth.settings import (
    AssertionAudience,
    DpopNonce,
    Logout,
    OAuthSettings,
    Registration,
    SigningAlgorithm,
    SignUp,
    TokenFormat,
)
from catshop.protocol.dispatcher import Dispatcher
from catshop.protocol.endpoint import Endpoint
from catshop.protocol.http1.asgi import AsgiApp, asgi_app
from catshop.protocol.http1.guard import LOOPBACK, Cors, Guard
from catshop.protocol.http1.messages import Answer, Handler, Request, Streamed, json_answer
from catshop.protocol.http1.routes import Route, Router
from catshop.protocol.http1.server import Server, bind, port_of
from catshop.protocol.pagination import Pages
from catshop.protocol.request_state import RequestStates, SingleUse
from catshop.protocol.sessions import Sessions
from catshop.protocol.skills import Skills
from catshop.protocol.subscriptions import Subscriptions
from catshop.protocol.tasks import Tasks, TaskSupport
from catshop.protocol.versions import Era
from catshop.signing import Signer
from catshop.storage import oauth as oauth_storage
from catshop.storage import shop as shop_storage
from catshop.storage.faults import StartRefused
from catshop.storage.keyfiles import key_in, secret_key
from catshop.storage.logfile import appended
from catshop.storage.migrate import migrate
from catshop.storage.protocol.states import UsedStates
from catshop.storage.protocol.tasks import SqlTasks
from catshop.storage.shop import ShopStores
from catshop.storage.sqlite import SqliteDatabase
from catshop.storage.sweeper import sweep_forever
from catshop.tools.announcing import announced, watch
from catshop.tools.composition import Shop, takes_long
from catshop.tools.needs import needs_of
from catshop.tools.products import SEED, load_catalog
from catshop.tools.server import build_server
from catshop.trust import others, reach, upstream

ERAS = {
    ServedEra.BOTH: frozenset(Era),
    ServedEra.MODERN: frozenset({Era.STATELESS}),
    ServedEra.LEGACY: frozenset({Era.HANDSHAKE}),
}

ASK_ONCE = frozenset({("tools/call", "checkout")})
"""Whose answers are good once, by method and tool: docs/why/0009."""

SKILLS = Path(__file__).parent / "skills"
"""What a host may teach its model of this shop."""


@dataclass(frozen=True, slots=True)
class House:
    """The planes, joined: what a transport serves, and what a command asks."""

    config: Config
    trace: Trace
    database: SqliteDatabase
    dispatcher: Dispatcher
    gate: ShopGate
    sessions: Sessions
    administration: Administration
    router: Router
    authorization: AuthorizationServer

    async def begin(self) -> None:
        """Find out what must be known before anybody is served; StartRefused when it cannot be."""
        try:
            await self.authorization.begin()
        except Unavailable as error:
            raise StartRefused(error.code, self.config.upstream_issuer, error.detail) from None


class ShopGate:
    """The `Gate`: the OAuth plane says who calls, the tools plane what that takes."""

    def __init__(self, resource: ResourceServer) -> None:
        self._resource = resource

    async def authenticate(self, request: Request) -> Principal:
        """The bearer of a good token, or a challenge."""
        return await self._resource.authenticate(request)

    def authorize(self, principal: Principal, method: str, params: Mapping[str, object]) -> None:
        """A request takes the scopes that the tools plane names for it, or any good token."""
        needed = needs_of(method, params)
        if not covers(principal.scopes, needed):
            raise self._resource.insufficient(principal, needed)

    async def still_good(self, principal: Principal) -> bool:
        """Whether the token has been neither revoked nor outlived."""
        return await self._resource.is_alive(principal)


@asynccontextmanager
async def open_house(
    config: Config, *, trace: Trace | None = None, clock: Clock = utc_now
) -> AsyncIterator[House]:
    """Everything but the socket, for as long as the context lasts; StartRefused says why not."""
    trace = trace or Trace()
    async with (
        appended(audit.log, config.audit_file),
        open_database(config, trace, clock) as database,
        anyio.create_task_group() as tasks,
    ):
        shop_stores = shop_storage.stores(database)
        oauth_stores = audited(oauth_storage.stores(database))
        settings, changes, kept = oauth_settings(config), Changes(), SqlTasks(database)
        shop = announced(shop_on(shop_stores, config.limits.shop, clock, trace), changes)
        features = Features(
            Tasks(
                kept,
                support,
                limits=config.limits.task,
                clock=clock,
                new_id=mint,
                trace=trace,
            ),
            Signer(settings.secret_key, settings.previous_keys, clock),
            UsedStates(database),
            changes,
        )
        fetcher = Fetcher(config.limits.fetch, trace, reach(config))
        strangers = others(config, fetcher, clock, trace)
        resource = ResourceServer(
            settings, oauth_stores, clock=clock, trace=trace, others=strangers
        )
        gate = ShopGate(resource)
        sessions = Sessions(config.limits, clock=clock, new_id=mint, trace=trace)
        async with hosted(shop, features, config, trace, clock) as dispatcher:
            endpoint = Endpoint(dispatcher, gate, sessions, config.limits, eras=ERAS[config.era])
            authorization = AuthorizationServer(
                settings,
                oauth_stores,
                clock=clock,
                mint=mint,
                trace=trace,
                fetcher=fetcher,
            )
            mcp = urlsplit(settings.resource).path
            routes = (
                *endpoint.routes(mcp, f"{mcp}/"),
                *authorization.routes(),
                *own_routes(config),
            )
            router = Router(routes, guard(config), trace)
            passwords = Passwords(config.limits.oauth)
            administration = Administration(settings, oauth_stores, clock, mint, passwords)
            sweeps = (
                oauth_stores.upkeep.sweep,
                kept.sweep,
                features.used.sweep,
                sessions.sweep_now,
                database.tidy,
            )
            tasks.start_soon(sweep_forever, sweeps, clock, config.limits.storage.sweep_seconds)
            tasks.start_soon(watch, shop)
            parts = (database, dispatcher, gate, sessions, administration, router, authorization)
            yield House(config, trace, *parts)
            tasks.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Features:
    """What the protocol plane adds to the shop's server, and what that needs."""

    tasks: Tasks
    signer: Signer
    used: UsedStates
    changes: Changes


def hosted(
    shop: Shop, features: Features, config: Config, trace: Trace, clock: Clock
) -> Dispatcher:
    """The shop's server with every feature switched on, ready to be hosted.

    Pages come last: they cut what the others list.
    """
    server = build_server(shop, version=__version__)
    features.tasks.install(server)
    Skills(SKILLS, config.limits.skill).install(server)
    Subscriptions(features.changes, config.limits.session).install(server)
    Pages(features.signer, config.limits.session.page).install(server)
    once = SingleUse(ASK_ONCE, features.used, clock)
    seconds = config.limits.session.state_seconds
    return Dispatcher(server, trace, RequestStates(features.signer, seconds, single_use=once))


def support(params: CallToolRequestParams) -> TaskSupport:
    """A call that takes long may become a task, for a client that knows tasks."""
    return TaskSupport.OPTIONAL if takes_long(params.name) else TaskSupport.FORBIDDEN


def shop_on(stores: ShopStores, limits: ShopLimits, clock: Clock, trace: Trace) -> Shop:
    """The shop whose goods, carts and orders are in these stores."""
    return Shop(
        stores.catalog,
        stores.carts,
        stores.orders,
        limits=limits,
        clock=clock,
        new_order_id=lambda: secrets.token_hex(8).upper(),
        trace=trace,
    )


@asynccontextmanager
async def open_database(
    config: Config, trace: Trace, clock: Clock
) -> AsyncIterator[SqliteDatabase]:
    """The database, with today's schema and a catalog in it."""
    path = Path(config.database)
    database = SqliteDatabase.open(path, config.limits.storage, trace)
    try:
        await migrate(database, clock(), where=str(path))
        catalog = shop_storage.stores(database).catalog
        if config.catalog is not None:
            await catalog.replace(load_catalog(config.catalog))
        await catalog.seed(SEED)
        yield database
    finally:
        await database.close()


def mint() -> str:
    """A fresh secret of 256 random bits, in an alphabet that URLs and headers take."""
    return secrets.token_urlsafe(32)


def oauth_settings(config: Config) -> OAuthSettings:
    """What the OAuth plane has to know of the configuration."""
    return OAuthSettings(
        issuer=config.issuer,
        resource=f"{config.issuer}/mcp",
        secret_key=secret_key(config.key_file, mint),
        previous_keys=tuple(key_in(Path(name)) for name in config.previous_secret_key_files),
        limits=config.limits.oauth,
        signup=SignUp.OPEN if config.signup else SignUp.CLOSED,
        token_format=TokenFormat(config.token_format),
        logout=Logout.REVOKE if config.logout_revokes else Logout.KEEP,
        trusted_issuer=config.external_issuer,
        assertion_issuers=config.assertion_issuers,
        registration=Registration.OPEN if config.registration else Registration.CLOSED,
        upstream=upstream(config),
        dpop_nonce=DpopNonce.REQUIRED if config.dpop_nonce else DpopNonce.OFFERED,
        token_algorithm=SigningAlgorithm(config.token_algorithm),
        assertion_audience=AssertionAudience.TOKEN_ENDPOINT
        if config.token_endpoint_audience
        else AssertionAudience.ISSUER,
    )


def guard(config: Config) -> Guard:
    """Which hosts and origins are ours: this machine's, the issuer's, and those in the settings."""
    issuer = urlsplit(config.issuer)
    return Guard(
        hosts=LOOPBACK | {issuer.netloc, *config.allowed_hosts},
        origins=frozenset({f"{issuer.scheme}://{issuer.netloc}", *config.allowed_origins}),
    )


def own_routes(config: Config) -> tuple[Route, ...]:
    """What is neither MCP nor OAuth: whether the shop is up, and what to do with its address."""

    async def health(_request: Request) -> Answer:
        return json_answer(200, {"status": "ok", "service": "Cat Shop", "version": __version__})

    async def welcome(_request: Request) -> Answer:
        text = f"Cat Shop. The MCP endpoint is {config.issuer}/mcp; it takes a bearer token.\n"
        return Answer(200, (("content-type", "text/plain; charset=utf-8"),), text.encode())

    top = urlsplit(config.issuer).path.rstrip("/")
    return (
        Route(f"{top}/health", {"GET": health}, Cors.ANY),
        Route(f"{top}/healthz", {"GET": health}, Cors.ANY),
        Route(f"{top}/", {"GET": welcome}, Cors.ANY),
    )


def asgi(config: Config, *, trace: Trace | None = None) -> AsgiApp:
    """The whole shop as an ASGI application, for somebody else's server.

    Its house opens with the host's lifespan, which the host must therefore run. `config.issuer` is
    the address that the host serves it under. A host that waits for open streams before it tells of
    its shutdown needs a bound for that, as uvicorn has in `timeout_graceful_shutdown`.
    """
    observed = trace or Trace()
    opened: list[House] = []

    async def enter(request: Request) -> Answer | Streamed:
        return await opened[0].router(request)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with open_house(config, trace=observed) as house:
            await house.begin()
            opened.append(house)
            yield
            house.sessions.drain()
            opened.clear()

    return asgi_app(enter, limits=config.limits.http, trace=observed, lifespan=lifespan)


Beside = Callable[[House], AbstractAsyncContextManager[Handler]]
"""What stands beside a house while it is served, and which handler answers then."""


def alone(house: House) -> AbstractAsyncContextManager[Handler]:
    """Nothing: the router of the house answers."""
    return nullcontext(house.router)


async def serve(
    config: Config,
    *,
    trace: Trace,
    ready: Callable[[Config], None],
    signals: tuple[Signals, ...] = (Signals.SIGINT, Signals.SIGTERM),
    beside: Beside = alone,
) -> None:
    """Serve on the configured address until a signal; the second one stops at once.

    `ready` is called with the configuration as it turned out, once the socket listens.
    """
    async with listening(config) as (found, listeners), open_house(found, trace=trace) as house:
        await house.begin()
        async with beside(house) as handler, anyio.create_task_group() as tasks:
            server = Server(handler, limits=found.limits.http, trace=trace)
            tasks.start_soon(_obey, signals, server, house.sessions, tasks)
            gc.freeze()
            ready(found)
            await server.serve(listeners)
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def listening(config: Config) -> AsyncIterator[tuple[Config, list[SocketListener]]]:
    """The sockets of the configured address, and the configuration that knows their port."""
    async with AsyncExitStack() as closing:
        listeners = await bind((config.host,), config.port)
        for listener in listeners:
            closing.push_async_callback(listener.aclose)
        yield config.listening_on(port_of(listeners[0])), listeners


async def _obey(
    signals: tuple[Signals, ...], server: Server, sessions: Sessions, tasks: TaskGroup
) -> None:
    """The first signal drains, the second stops."""
    with anyio.open_signal_receiver(*signals) as received:
        async for _ in received:
            if server.draining.is_set():
                server.stop()
                tasks.cancel_scope.cancel()
            server.drain()
            sessions.drain()
