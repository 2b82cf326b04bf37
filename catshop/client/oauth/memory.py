"""What the client remembers between two runs: who it is where, and what it was given for what.

Credentials are kept by issuer, because they mean nothing to any other; tokens by issuer and
resource, because they open nothing else; a key with the tokens that are bound to it. On disk it is
one JSON file that its owner alone can read, written anew and moved into place, so that a process
that is killed leaves the old one or the new one. OAuth 2.1 §7.1;
MCP 2026-07-28 basic/authorization/client-registration §authorization-server-binding.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.registration import Client
from catshop.kernel import Secret

if sys.platform != "win32":
    import fcntl

FORMAT: Final = 1
"""What the file's `version` says; a file of another is not guessed at."""


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens, and the key that they are bound to, if they are."""

    tokens: Tokens
    key: SigningKey | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Registrations by issuer, and what is held by issuer and resource."""

    clients: Mapping[str, Client] = field(default_factory=dict)
    held: Mapping[tuple[str, str], Held] = field(default_factory=dict)

    def for_resource(self, names: tuple[str, ...]) -> Held | None:
        """What opens the resource with one of these names, most specific name first."""
        by_name = {resource: held for (_, resource), held in self.held.items()}
        return next((by_name[name] for name in names if name in by_name), None)

    def with_client(self, client: Client) -> Memory:
        """Remember a registration; one that belongs to no issuer is remembered by its document."""
        if client.issuer is None:
            return self
        return replace(self, clients={**self.clients, client.issuer: client})

    def with_held(self, held: Held) -> Memory:
        """Remember tokens in place of those for the same resource, whoever gave those."""
        tokens = held.tokens
        others = {key: value for key, value in self.held.items() if key[1] != tokens.resource}
        return replace(self, held={**others, (tokens.issuer, tokens.resource): held})

    def without(self, resource: str) -> Memory:
        """Forget what opens a resource; the registrations stay."""
        return replace(self, held={k: v for k, v in self.held.items() if k[1] != resource})


class Store(Protocol):
    """Where the memory is kept."""

    def load(self) -> Memory:
        """What was kept last; an empty memory where nothing was."""
        ...

    def change(self, change: Callable[[Memory], Memory]) -> Memory:
        """Apply a change to what is kept now, keep the result, and return it."""
        ...


class InMemory:
    """A store for one process."""

    def __init__(self) -> None:
        self._memory = Memory()

    def load(self) -> Memory:
        """What this process put there."""
        return self._memory

    def change(self, change: Callable[[Memory], Memory]) -> Memory:
        """Keep it until the process ends."""
        self._memory = change(self._memory)
        return self._memory


class OnDisk:
    """A store in a file with mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Memory:
        """SignInFailed where the file is no memory, or others on this machine can read it."""
        try:
            mode = self._path.stat().st_mode
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return Memory()
        if os.name == "posix" and mode & 0o077:
            raise SignInFailed("E-OAC-19", arrived=f"mode {mode & 0o777:o}")
        try:
            return decode(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SignInFailed("E-OAC-20", arrived=type(error).__name__) from None

    def change(self, change: Callable[[Memory], Memory]) -> Memory:
        """Written beside the file, flushed to disk, and moved into its place.

        Two commands at once change it one after the other, so that neither undoes the other's: a
        refresh token that was rotated and then lost would end the grant. OAuth 2.1 §4.3.1.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(self._path.with_name(f"{self._path.name}.lock")):
            memory = change(self.load())
            self._write(memory)
        return memory

    def _write(self, memory: Memory) -> None:
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(encode(memory), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock that this file is; where the system has none, whoever is last has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def encode(memory: Memory) -> Mapping[str, Any]:
    """The memory as JSON members, its secrets in clear: for the file, and for nothing else."""
    return {
        "version": FORMAT,
        "clients": [_client(client) for client in memory.clients.values()],
        "tokens": [_held(held) for held in memory.held.values()],
    }


def decode(members: Mapping[str, Any]) -> Memory:
    """The inverse of `encode`; ValueError, KeyError or TypeError for anything else."""
    if members["version"] != FORMAT:
        raise ValueError("another version")
    clients = [_read_client(entry) for entry in members["clients"]]
    helds = [_read_held(entry) for entry in members["tokens"]]
    return Memory(
        {client.issuer: client for client in clients if client.issuer is not None},
        {(held.tokens.issuer, held.tokens.resource): held for held in helds},
    )


def _client(client: Client) -> Mapping[str, Any]:
    return {
        "issuer": client.issuer,
        "client_id": client.client_id,
        "client_secret": client.secret.reveal() if client.secret else None,
        "token_endpoint_auth_method": client.method,
        "redirect_uris": list(client.redirect_uris),
        "registration": dict(client.registration),
    }


def _read_client(entry: Mapping[str, Any]) -> Client:
    return Client(
        client_id=entry["client_id"],
        issuer=entry["issuer"],
        secret=_secret(entry["client_secret"]),
        method=entry["token_endpoint_auth_method"],
        redirect_uris=tuple(entry["redirect_uris"]),
        registration=dict(entry["registration"]),
    )


def _held(held: Held) -> Mapping[str, Any]:
    tokens = held.tokens
    return {
        "issuer": tokens.issuer,
        "resource": tokens.resource,
        "client_id": tokens.client_id,
        "access_token": tokens.access_token.reveal(),
        "token_type": tokens.token_type,
        "refresh_token": tokens.refresh_token.reveal() if tokens.refresh_token else None,
        "expires_at": tokens.expires_at.isoformat() if tokens.expires_at else None,
        "scopes": list(tokens.scopes),
        "asked": list(tokens.asked),
        "key": held.key.pem.reveal() if held.key else None,
    }


def _read_held(entry: Mapping[str, Any]) -> Held:
    expires = entry["expires_at"]
    tokens = Tokens(
        issuer=entry["issuer"],
        resource=entry["resource"],
        client_id=entry["client_id"],
        access_token=Secret(entry["access_token"]),
        token_type=entry["token_type"],
        refresh_token=_secret(entry["refresh_token"]),
        expires_at=datetime.fromisoformat(expires) if expires else None,
        scopes=tuple(entry["scopes"]),
        asked=tuple(entry["asked"]),
    )
    key = _secret(entry["key"])
    return Held(tokens, SigningKey(key) if key else None)


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)
