"""The files with the keys that sign what others keep for us.

A key is made at the first start and stays until somebody puts another in its place; the one before
can then be named as a previous key, which is believed and signs nothing. RFC 4086 §3.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from catshop.kernel import Secret
from catshop.storage.faults import StartRefused

LENGTH: Final = 43
"""Characters of base64url for 256 random bits; a shorter text is no key of ours."""


def secret_key(path: Path, mint: Callable[[], str]) -> Secret:
    """The key in the file, made at the first start and readable by its owner alone.

    It is written elsewhere and then given its name, so that whoever finds it finds it whole.
    StartRefused when what is there is no key of ours.
    """
    if not path.exists():
        with NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.") as draft:
            draft.write(mint() + "\n")
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return key_in(path)


def key_in(path: Path) -> Secret:
    """The key in the file. A file that is named must be there, and hold a key."""
    try:
        key = path.read_text("ascii", "replace").strip()
    except OSError as error:
        raise StartRefused("E-DB-12", str(path), error.strerror or "") from None
    if len(key) < LENGTH:
        raise StartRefused("E-DB-12", str(path), f"{len(key)} characters")
    return Secret(key)
