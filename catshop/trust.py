"""Whom the shop trusts beside itself: other issuers, as its configuration names them.

An issuer whose access tokens are taken, an issuer at which users sign in, and how far out the shop
reads to ask them. What is wrong with a name is said before anybody is served. Knows the
configuration and the OAuth plane; only `app.py` asks. Next: `oauth/federation.py`,
`oauth/upstream.py`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from catshop.config import Config, ConfigError
from catshop.kernel import Clock, Secret, Trace
from catshop.oauth.federation import IntrospectedTokens, Others, SignedTokens, Trust, basic
from catshop.oauth.fetch import Fetcher, FetchFailed, Reach, permitted
from catshop.oauth.settings import Upstream


def upstream(config: Config) -> Upstream | None:
    """Where users sign in, when it is not here."""
    if not config.upstream_issuer:
        return None
    path = config.upstream_secret_file
    secret = None if path is None else Secret(path.read_text("utf-8").strip())
    return Upstream(config.upstream_issuer, config.upstream_client, secret, config.upstream_scopes)


def reach(config: Config) -> Reach:
    """How far out the shop reads: where it is itself reached on this machine only, on it, too."""
    local = urlsplit(config.issuer).scheme == "http"
    return Reach.DEVELOPMENT if local else Reach.PUBLIC


def others(config: Config, fetcher: Fetcher, clock: Clock, trace: Trace) -> Others | None:
    """Whose tokens are taken beside our own; ConfigError when they could never be verified."""
    issuer, endpoint = config.external_issuer, config.introspection_endpoint
    asked = (issuer, endpoint, config.upstream_issuer, *config.assertion_issuers)
    for address in filter(None, asked):
        try:
            permitted(address, fetcher.reach)
        except FetchFailed:
            raise ConfigError(f"{address} must be an https URL that can be read from") from None
    if not issuer:
        return None
    trust = Trust(issuer, config.external_audience or f"{config.issuer}/mcp")
    if not endpoint or config.introspection_secret_file is None:
        return SignedTokens(trust, fetcher, clock, trace)
    secret = Secret(config.introspection_secret_file.read_text("utf-8").strip())
    credentials = basic(config.introspection_client, secret)
    return IntrospectedTokens(trust, (endpoint, credentials), fetcher, clock, trace)
