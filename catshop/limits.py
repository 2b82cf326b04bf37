"""Every number of ours, in one place, each with the reason for its size.

A number that a specification fixes stands next to the rule that uses it; a number that we chose
stands here, and `catshop config` prints it with where its value came from. Times are in seconds,
sizes in octets, unless the name says otherwise. This module knows nothing of the planes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one HTTP connection may ask of the server."""

    head_seconds: float = 10.0
    """From the first wait for a request to the end of its head; slowloris gets no longer."""
    body_seconds: float = 60.0
    """The whole body, however steadily it trickles."""
    body_grace_seconds: float = 5.0
    """After this a body must keep up with `body_rate`."""
    body_rate: int = 240
    """Octets a second that a body must average after the grace."""
    idle_seconds: float = 5.0
    """Between two requests on a kept-alive connection."""
    write_seconds: float = 30.0
    """One write that the client does not read."""
    linger_seconds: float = 1.0
    """Reading on after our last answer, so that a reset does not take it away (RFC 9112 §9.6)."""
    drain_seconds: float = 25.0
    """From SIGTERM until requests in flight are cut."""
    probe_seconds: float = 0.25
    """Between two comments to a half-closed stream; a failed one shows that the client has gone."""
    keepalive_comment_seconds: float = 15.0
    """Between two comments on a quiet event stream, so that no proxy gives it up."""
    request_line: int = 8192
    """Longest request line; RFC 9112 §3 recommends that at least 8,000 be supported."""
    head: int = 16384
    """Request line and all fields together."""
    fields: int = 100
    """Header fields in one head."""
    body: int = 4 * 1024 * 1024
    """Largest request body."""
    chunk_extensions: int = 4096
    """Chunk extensions of one body, added up (RFC 9112 §7.1.1)."""
    read_size: int = 65536
    """One read from the socket; also the most that waits unparsed on a connection."""
    connections: int = 1024
    """Open at once; one more is told 503 and closed."""
    connections_per_address: int = 512
    """Open at once from one address."""


@dataclass(frozen=True, slots=True)
class RpcLimits:
    """What one JSON-RPC message may contain."""

    depth: int = 64
    """Nested arrays and objects; the parser never recurses deeper."""
    nodes: int = 100_000
    """Commas, colons and brackets in one message, counted before it is parsed."""
    id_length: int = 1024
    """Characters in a string id, digits in a number id."""
    in_flight: int = 64
    """Requests that one session or one pipe may have running."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What the handshake era's sessions may hold."""

    sessions: int = 10_000
    """Live sessions; one more is told 503."""
    sessions_of_one: int = 100
    """Live sessions of one principal; one more is told 429."""
    initialize: int = 65_536
    """Octets in the params of initialize, which a session keeps."""
    idle_seconds: float = 1800.0
    """A session that nobody used for so long is over."""
    events: int = 256
    """Events that one stream keeps for resumption."""
    event_octets: int = 1024 * 1024
    """The same, in octets."""
    streams: int = 32
    """Streams whose events one session keeps."""
    retry_milliseconds: int = 1000
    """What `retry:` tells a client to wait before it reconnects."""
    recheck_seconds: float = 4.0
    """How often an open stream asks whether its token is still good: with the second for which
    another process may believe it, a stream ends within five."""
    answer_seconds: float = 300.0
    """How long a request from server to client may wait for its answer."""
    listens: int = 32
    """Streams of change notifications that one user may have open through one client."""
    subscriptions: int = 256
    """Resources that one session, or one such stream, is told of."""
    state_seconds: int = 600
    """How long a `requestState` is good: the time that people have to answer."""
    page: int = 100
    """Entries in one answer of a list."""


@dataclass(frozen=True, slots=True)
class OAuthLimits:
    """Lifetimes and allowances of the authorization server."""

    request_seconds: int = 600
    """An authorization request, from /authorize until the user has decided."""
    requests_per_address: int = 120
    """Authorization requests from one address in `request_seconds`; further ones are told 429."""
    state_length: int = 2048
    """Longest `state` of an authorization request, in characters."""
    code_seconds: int = 60
    """An authorization code (OAuth 2.1 §4.1.2 recommends at most ten minutes)."""
    access_seconds: int = 900
    """An access token."""
    refresh_seconds: int = 86_400
    """A refresh token, from its last use."""
    family_seconds: int = 30 * 86_400
    """A chain of refresh tokens, from the sign-in that began it."""
    refresh_twin_seconds: int = 2
    """So long after a rotation the old token may belong to a request that was under way with it."""
    refresh_grace_seconds: int = 30
    """A rotated refresh token may come back once within this, as if the answer had been lost."""
    verifier_tries: int = 5
    """Wrong code_verifiers after which a code is spent."""
    dpop_seconds: int = 300
    """How far from now a DPoP proof may say that it was made; its `jti` is remembered as long."""
    dpop_nonce_seconds: int = 300
    """A nonce for DPoP proofs."""
    key_lead_seconds: int = 300
    """A new signing key is published for so long before it signs, as long as /jwks may be kept."""
    session_seconds: int = 8 * 3600
    """A browser's sign-in."""
    unused_client_seconds: int = 30 * 86_400
    """A registered client that never got a token is forgotten after this."""
    token_cache_seconds: float = 1.0
    """How long a verified token is trusted without asking storage; revocation ends it at once.

    In this process, that is: another one trusts it for so long.
    """
    foreign_token_cache_seconds: float = 5.0
    """The same for another issuer's token, which costs more to ask after."""
    registrations_per_hour: int = 100
    """New clients from one address."""
    login_failures: int = 10
    """Failed sign-ins of one account from one address, after which it waits."""
    login_failures_per_address: int = 50
    """Failed sign-ins from one address, whatever the account."""
    login_failures_per_account: int = 100
    """Failed sign-ins of one account from addresses where it never signed in (NIST SP 800-63B)."""
    known_address_seconds: int = 30 * 86_400
    """An address from which an account signed in is known to be its user's for so long."""
    client_failures: int = 20
    """Failed proofs in the name of one client from one address, after which it waits."""
    assertion_failures: int = 20
    """Assertions, and tokens to exchange, that one client shows in vain before it waits."""
    assertion_seconds: int = 3600
    """How far ahead an assertion of another issuer may expire; platforms make them for an hour."""
    introspection_misses: int = 300
    """Tokens in a minute that one caller may ask after in vain."""
    upstream_claim_seconds: int = 30
    """How long one refresh may have an upstream token in hand; others are told 503 meanwhile."""
    device_seconds: int = 600
    """A device_code, until its user has decided."""
    device_interval_seconds: int = 5
    """Between two questions of a device (RFC 8628 §3.2)."""
    devices_per_hour: int = 100
    """New device codes for one address."""
    user_code_failures: int = 10
    """Codes of devices typed in vain from one address in a quarter of an hour."""
    login_window_seconds: int = 900
    """The time over which failures are counted."""
    password_length: int = 1024
    """Longest password, in characters."""
    password_minimum: int = 8
    """Shortest password at sign-up (NIST SP 800-63B §5.1.1.2)."""
    hashing_threads: int = 2
    """argon2 computations at once; each takes memory and a core."""
    hashing_queue: int = 32
    """Sign-ins that may wait for one; further ones are told 503."""
    form: int = 65_536
    """Largest form or registration body."""


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """How long storage may take, and how often it cleans up."""

    busy_seconds: float = 5.0
    """Waiting for another process's write lock before the caller is told 503."""
    read_busy_seconds: float = 0.1
    """A read waits inline, so it may only outlast another process's checkpoint."""
    sweep_seconds: float = 60.0
    """Between two clean-ups of expired rows."""
    journal_octets: int = 64 * 1024 * 1024
    """The write-ahead log is truncated to this after a checkpoint."""


@dataclass(frozen=True, slots=True)
class ShopLimits:
    """What a cart may hold and a list may show.

    `quantity`, `history` and `query_length` stand in the tools' schemas too, so a configuration
    can lower them, not raise them.
    """

    quantity: int = 99
    """Of one product in one cart."""
    search_results: int = 50
    """Products in one answer of search_products."""
    history: int = 50
    """Orders in one answer of get_order_history."""
    query_length: int = 200
    """Characters in a search."""
    repeat_seconds: int = 300
    """A checkout that finds the cart empty within this shows the order that emptied it."""
    watch_seconds: float = 2.0
    """Between two looks at whether another process has changed the catalog."""


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What calls that answer later may take."""

    ttl_seconds: float = 3600.0
    """From a task's creation until it is forgotten; its handler runs no longer either."""
    poll_milliseconds: int = 500
    """How long a client is told to wait between two looks at a task."""
    live: int = 16
    """Tasks of one user and client that have not ended."""
    beat_seconds: float = 1.0
    """How often a process says which tasks it runs, and learns which of them others cancelled."""
    lease_seconds: float = 10.0
    """A live task whose process was silent for so long has failed."""
    settle_seconds: float = 5.0
    """Writing down how a task ended, when the server stops."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one document of somebody else's server may cost us."""

    seconds: float = 5.0
    """From the lookup of the name to the last octet."""
    introspection_seconds: float = 10.0
    """The same for the question whether a token is good, which a caller waits for."""
    octets: int = 5120
    """A client's metadata document; the draft recommends 5 kilobytes."""
    key_octets: int = 65_536
    """A key set, an issuer's metadata, or an answer about a token."""
    at_once: int = 8
    """Documents on their way at the same time."""
    per_host: int = 2
    """Of those, from one host."""
    waiting: int = 32
    """Further ones that may wait for their turn."""
    kept: int = 1000
    """Client documents that are remembered; the least recently used goes first."""
    shortest_seconds: int = 60
    """A document that may be kept at all is kept so long, however briefly its sender wishes."""
    longest_seconds: int = 86_400
    """No document is trusted for longer."""
    key_seconds: int = 300
    """An issuer's keys are fetched anew after this, so that a key that was taken back is."""
    key_pause_seconds: int = 60
    """Between two fetches of one issuer's keys, however many unknown ones are presented."""
    key_grace_seconds: int = 86_400
    """Keys that cannot be fetched anew are trusted for so long."""


@dataclass(frozen=True, slots=True)
class SkillLimits:
    """How skills are told of; how large one may be, the extension says itself."""

    ttl_milliseconds: int = 300_000
    """How long a host may keep a list of skills; they change with a restart only."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What our own client waits for, reads and repeats."""

    request_seconds: float = 300.0
    """One request with its answer; progress does not lengthen it."""
    connect_seconds: float = 10.0
    """Until a connection stands."""
    probe_seconds: float = 30.0
    """A program that has not answered `server/discover` by then speaks an older revision; it has
    to be started first, which takes a while."""
    listen_seconds: float = 2.0
    """Until the stream for the server's own messages stands; then we go on without it."""
    goodbye_seconds: float = 2.0
    """A cancellation, the end of a session: whoever leaves does not wait longer."""
    linger_seconds: float = 0.2
    """A stream that has brought its answer may take so long to end, and its connection is kept."""
    exit_seconds: float = 2.0
    """Between closing a program's input, asking it to end and killing it."""
    message: int = 16 * 1024 * 1024
    """Octets of one answer, or of one event."""
    nodes: int = 1_000_000
    """Commas, colons and brackets in one."""
    retry_milliseconds: int = 1000
    """Before a broken stream is resumed, where the server has not said how long."""
    longest_retry_seconds: float = 60.0
    """No server makes us wait longer than this between two connections."""
    resumptions: int = 5
    """Connections in a row that brought nothing, after which a stream is lost."""
    rounds: int = 16
    """Times that one request may come back and ask for more."""
    pages: int = 1000
    """Pages of one list."""
    proofs: int = 8
    """Times that one request may be sent with another proof of who asks."""
    poll_milliseconds: int = 500
    """Between two looks at a task, where the server has not said how long."""
    backlog: int = 256
    """Changes that nobody has read yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """All numbers, one group a plane."""

    http: HttpLimits = field(default_factory=HttpLimits)
    rpc: RpcLimits = field(default_factory=RpcLimits)
    session: SessionLimits = field(default_factory=SessionLimits)
    oauth: OAuthLimits = field(default_factory=OAuthLimits)
    storage: StorageLimits = field(default_factory=StorageLimits)
    shop: ShopLimits = field(default_factory=ShopLimits)
    fetch: FetchLimits = field(default_factory=FetchLimits)
    task: TaskLimits = field(default_factory=TaskLimits)
    skill: SkillLimits = field(default_factory=SkillLimits)
    client: ClientLimits = field(default_factory=ClientLimits)
