"""One server more in somebody's file of settings, and nothing in it lost.

JSON is read and written anew. TOML is full of comments that a person wrote, so there only the lines
of our own table change, and the result is read again before it counts: it must hold what it held
before, and the new entry. What cannot be read is not written over. Pure. Next: `connect.py`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from catshop.cli.hosts import CannotConnect, File, Format, fragment


def merged(text: str, file: File, name: str, entry: Mapping[str, object]) -> str:
    """The file's new text; the same text where it says so already.

    CannotConnect where the text is not what such a file holds.
    """
    before = read(text, file)
    servers = before.get(file.table, {})
    if not isinstance(servers, dict):
        raise CannotConnect("E-CONNECT-02", f"{file.table} is no table")
    if servers.get(name) == entry:
        return text
    after = {**before, file.table: {**servers, name: dict(entry)}}
    if file.written is Format.JSON:
        return json.dumps(after, indent=2, ensure_ascii=False) + "\n"
    joined = _without(text, f"[{file.table}.{name}]") + fragment(file, name, entry)
    if read(joined, file) != after:
        raise CannotConnect("E-CONNECT-02", f"{file.table}.{name} is written in another way")
    return joined


def read(text: str, file: File) -> dict[str, Any]:
    """The members of the file; none of an empty one."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text) if file.written is Format.JSON else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotConnect("E-CONNECT-02", str(error)) from None
    if not isinstance(found, dict):
        raise CannotConnect("E-CONNECT-02", f"{type(found).__name__} in place of an object")
    return found


def _without(text: str, header: str) -> str:
    """The lines of a TOML file but those of this table, with room for another at the end."""
    kept, ours = [], False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            ours = line.split("#")[0].strip() == header
        if not ours:
            kept.append(line)
    whole = "\n".join(kept).rstrip("\n")
    return f"{whole}\n\n" if whole else ""
