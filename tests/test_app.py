"""What the app does for itself: the key that signs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catshop.app import secret_key
from catshop.storage.faults import StartRefused


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """However many start together: all of them have the same one."""
    path = tmp_path / "catshop.db.key"
    with ThreadPoolExecutor(8) as starting:
        keys = {key.reveal() for key in starting.map(secret_key, [path] * 32)}
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
        secret_key(path)
    assert refused.value.code == "E-DB-12"
    assert path.read_text() == content
