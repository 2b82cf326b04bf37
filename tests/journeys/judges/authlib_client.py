"""Authlib: another reading of OAuth, in Python on httpx; run by an interpreter of its own.

The same steps and the same talk with the test that started it as in `judge.mjs`.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from typing import Any, Final

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

CALLBACK: Final = "http://127.0.0.1:47111/callback"
KEYS: Final = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
    "RS256": RSAKey.generate_key,
}


class Brief(PrivateKeyJWT):
    """Assertions for two minutes: Authlib makes them for an hour, and we take five minutes."""

    def sign(self, auth: Any, token_endpoint: str) -> str:
        """One more, with a jti of its own."""
        self.claims = {"exp": int(time.time()) + 120}
        return str(super().sign(auth, token_endpoint))


def say(**said: object) -> None:
    """One line to the test."""
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


class Judge:
    """A client that has found the server, and registered to prove itself by that method."""

    def __init__(self, issuer: str, method: str, grants: tuple[str, ...]) -> None:
        url = f"{issuer}/.well-known/oauth-authorization-server"
        self.server = httpx.get(url).raise_for_status().json()
        name, _, algorithm = method.partition(":")
        asked: dict[str, Any] = {"grant_types": grants, "token_endpoint_auth_method": name}
        if "authorization_code" in grants:
            asked["redirect_uris"] = [CALLBACK]
        key = KEYS[algorithm]() if algorithm else None
        if key is not None:
            asked["jwks"] = KeySet([key]).as_dict(private=False)
        told = httpx.post(self.server["registration_endpoint"], json=asked).raise_for_status()
        self.client = OAuth2Client(
            client_id=told.json()["client_id"],
            client_secret=key or told.json().get("client_secret"),
            token_endpoint_auth_method=name,
            revocation_endpoint_auth_method=name,
            redirect_uri=CALLBACK,
            code_challenge_method="S256",
        )
        if key is not None:
            proof = Brief(self.server["issuer"], alg=algorithm)
            self.client.register_client_auth_method(proof)

    def tokens(self, scope: str = "read write") -> dict[str, Any]:
        """What a user who is sent to the server allows."""
        verifier = secrets.token_urlsafe(48)
        endpoint = self.server["authorization_endpoint"]
        url, state = self.client.create_authorization_url(
            endpoint, code_verifier=verifier, scope=scope
        )
        say(open=url)
        return dict(
            self.client.fetch_token(
                self.server["token_endpoint"],
                authorization_response=sys.stdin.readline().strip(),
                code_verifier=verifier,
                state=state,
            )
        )

    def refreshed(self, token: str) -> dict[str, Any]:
        """New tokens."""
        return dict(self.client.refresh_token(self.server["token_endpoint"], refresh_token=token))

    def refused(self, token: str) -> str:
        """The error that a refresh ends in."""
        try:
            self.refreshed(token)
        except OAuthError as error:
            return str(error.error)
        return "nothing"

    def revoke(self, token: str) -> None:
        """Take a token back."""
        self.client.revoke_token(self.server["revocation_endpoint"], token).raise_for_status()

    def introspected(self, token: str) -> Any:
        """What it is worth."""
        endpoint = self.server["introspection_endpoint"]
        return self.client.introspect_token(endpoint, token).raise_for_status().json()


def code(issuer: str, method: str) -> object:
    """Get, refresh and revoke tokens."""
    judge = Judge(issuer, method, ("authorization_code", "refresh_token"))
    first = judge.tokens()
    second = judge.refreshed(first["refresh_token"])
    invented = judge.refused("invented")
    judge.revoke(second["refresh_token"])
    return {
        "type": first["token_type"].lower(),
        "scope": first["scope"],
        "fresh": second["access_token"] != first["access_token"],
        "invented": invented,
        "revoked": judge.refused(second["refresh_token"]),
    }


def introspect(issuer: str, method: str) -> object:
    """Ask what a token is worth, before its grant is revoked and after."""
    judge = Judge(issuer, method, ("authorization_code", "refresh_token"))
    told = judge.tokens()
    before = judge.introspected(told["access_token"])
    judge.revoke(told["refresh_token"])
    return {"before": before, "after": judge.introspected(told["access_token"])}


def machine(issuer: str, method: str) -> object:
    """Get a token for itself."""
    judge = Judge(issuer, method, ("client_credentials",))
    endpoint = judge.server["token_endpoint"]
    told = judge.client.fetch_token(endpoint, grant_type="client_credentials", scope="read")
    kind = told["token_type"].lower()
    return {"type": kind, "scope": told["scope"], "refresh": told.get("refresh_token")}


if __name__ == "__main__":
    step, issuer, method = sys.argv[1:]
    say(seen={"code": code, "introspect": introspect, "machine": machine}[step](issuer, method))
