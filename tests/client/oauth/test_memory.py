"""What the client keeps, and for whose eyes. OAuth 2.1 §7.1."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.memory import Held, InMemory, Memory, OnDisk, Store
from catshop.client.oauth.registration import Client
from catshop.kernel import Secret

ISSUER, URL = "https://auth.example", "https://shop.example/mcp"
TOKENS = Tokens(
    ISSUER,
    URL,
    "me",
    Secret("at"),
    "DPoP",
    Secret("rt"),
    datetime(2026, 11, 20, tzinfo=UTC),
    ("a",),
    ("a", "b"),
)
CLIENT = Client("me", ISSUER, Secret("s"), None, "client_secret_post", ("http://127.0.0.1/cb",))

FILES = ["client.json", "client.json.lock"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "client.json"


def test_what_is_kept_comes_back_and_its_owner_alone_can_read_it(path: Path) -> None:
    """Mode 0600 in a folder of mode 0700, and nothing else is left there but a lock."""
    key = SigningKey.generate()
    OnDisk(path).change(lambda memory: memory.with_client(CLIENT).with_held(Held(TOKENS, key)))
    found = OnDisk(path).load()
    held = found.held[ISSUER, URL]
    assert (found.clients, held.tokens) == ({ISSUER: CLIENT}, TOKENS)
    assert held.key is not None
    assert held.key.thumbprint == key.thumbprint
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(os.listdir(path.parent)) == FILES


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    """OAuth 2.1 §7.1: it may have been read."""
    OnDisk(path).change(lambda memory: memory.with_client(CLIENT))
    path.chmod(mode)
    with pytest.raises(SignInFailed, match="E-OAC-19"):
        OnDisk(path).load()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"version": 2}',
        '{"version": 1}',
        '{"version": 1, "clients": [7], "tokens": []}',
    ],
)
def test_a_file_that_is_no_memory_is_refused_and_not_overwritten(path: Path, text: str) -> None:
    """What the user has is not thrown away because a program cannot read it."""
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SignInFailed, match="E-OAC-20"):
        OnDisk(path).change(lambda memory: memory.with_client(CLIENT))
    assert path.read_text() == text


def test_a_change_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written beside, then moved into place."""
    OnDisk(path).change(lambda memory: memory.with_client(CLIENT))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        OnDisk(path).change(lambda memory: memory.without(URL))
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == FILES


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_tokens_are_kept_by_issuer_and_resource_and_forgotten_by_resource(
    kind: str, path: Path
) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §authorization-server-binding."""
    store: Store = InMemory() if kind == "memory" else OnDisk(path)
    other = replace(TOKENS, resource="https://other.example/mcp")
    store.change(lambda memory: memory.with_held(Held(TOKENS)).with_held(Held(other)))
    assert set(store.load().held) == {(ISSUER, URL), (ISSUER, "https://other.example/mcp")}
    moved = replace(TOKENS, issuer="https://new.example")
    assert set(store.change(lambda memory: memory.with_held(Held(moved))).held) == {
        ("https://new.example", URL),
        (ISSUER, "https://other.example/mcp"),
    }
    assert store.change(lambda memory: memory.without(URL)).for_resource((URL,)) is None


def test_a_client_that_every_server_can_read_is_not_kept() -> None:
    """Its document is its registration."""
    assert not Memory().with_client(Client("https://client.example/me.json")).clients


def test_nothing_is_in_clear_but_in_the_file(path: Path) -> None:
    """OAuth 2.1 §7.1."""
    memory = Memory().with_client(CLIENT).with_held(Held(TOKENS, SigningKey.generate()))
    assert not any(secret in repr(memory) for secret in ("'at'", "'rt'", "'s'", "PRIVATE"))
    OnDisk(path).change(lambda _: memory)
    assert json.loads(path.read_text())["tokens"][0]["access_token"] == "at"


def test_two_who_change_it_at_once_both_find_their_change(path: Path) -> None:
    """OAuth 2.1 §4.3.1: a refresh token that was rotated and is lost has ended its grant."""

    def keep(number: int) -> None:
        tokens = replace(TOKENS, resource=f"{URL}/{number}")
        OnDisk(path).change(lambda memory: memory.with_held(Held(tokens)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(40)))
    assert len(OnDisk(path).load().held) == 40
    assert sorted(os.listdir(path.parent)) == FILES
