"""The files with the keys that sign: the one that signs now, and those that did before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catshop.app import mint, oauth_settings
from catshop.config import load
from catshop.kernel import Secret
from catshop.oauth.signing import Signatures
from catshop.storage.faults import StartRefused
from catshop.storage.keyfiles import key_in, secret_key
from tests.oauth.house import Clock


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """However many start together: all of them have the same one."""
    path = tmp_path / "catshop.db.key"
    with ThreadPoolExecutor(8) as starting:
        keys = {key.reveal() for key in starting.map(secret_key, [path] * 32, [mint] * 32)}
    assert len(keys) == 1
    assert len(keys.pop()) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "\n", "short", "x" * 42])
def test_a_file_that_holds_no_key_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    """What is signed with an empty key is signed by everybody. RFC 4086 §3."""
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(StartRefused) as refused:
        secret_key(path, mint)
    assert refused.value.code == "E-DB-12"
    assert path.read_text() == content


def test_a_previous_key_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    """RFC 4086 §3: nobody finds out by being signed out."""
    path = tmp_path / "gone.key"
    with pytest.raises(StartRefused) as refused:
        key_in(path)
    assert refused.value.code == "E-DB-12"
    assert not path.exists()


@pytest.mark.parametrize("spelt", ["flag", "environment", "file"])
def test_what_a_previous_key_signed_is_believed_and_nothing_more_is_signed_with_it(
    tmp_path: Path, spelt: str
) -> None:
    """OAuth 2.1 §7.9. Once the old key is no longer named, what it signed is worth nothing."""
    old, new, clock = tmp_path / "old.key", tmp_path / "new.key", Clock()
    before = Signatures(secret_key(old, mint), (), clock)
    named = {"secret_key_file": str(new)}
    both = {
        "flag": {"flags": {**named, "previous_secret_key_files": str(old)}},
        "environment": {
            "flags": named,
            "environ": {"CATSHOP_PREVIOUS_SECRET_KEY_FILES": f"{old},{old}"},
        },
        "file": {"flags": named, "text": f"previous_secret_key_files = ['{old}']"},
    }[spelt]
    changed, alone = oauth_settings(load(**both)), oauth_settings(load(flags=named))
    after = Signatures(changed.secret_key, changed.previous_keys, clock)
    last = Signatures(alone.secret_key, alone.previous_keys, clock)
    cookie = before.sign_browser(Secret("a browser"))
    assert after.read_browser(cookie, 60) == Secret("a browser")
    assert last.read_browser(cookie, 60) is None
    assert before.read_browser(after.sign_browser(Secret("a browser")), 60) is None
    assert last.read_browser(after.sign_browser(Secret("a browser")), 60) is not None
