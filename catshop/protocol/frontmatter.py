"""The YAML at the head of a SKILL.md, as the JSON object that a host will compare it with.

Both sides have to read the same, so only what YAML 1.2 and JSON share is read: its core types, keys
that are text and stand once, no aliases, no tags that make objects. `on` is a word here and not
true, a date is the text that it is. Pure. Next: `skill_files.py`.
MCP 2026-07-28 extensions/skills.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from typing import Any, Final

import yaml

HEAD: Final = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
"""The frontmatter is what stands between the first line and the next that are three hyphens."""

CORE: Final = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
}
"""The core schema of YAML 1.2, tried in this order; every other plain scalar is text."""


class FrontmatterError(ValueError):
    """There is no frontmatter, or it is not an object that JSON has."""


def parse(document: bytes) -> Mapping[str, object]:
    """The frontmatter of a SKILL.md. §frontmatter."""
    try:
        head = HEAD.match(document.decode("utf-8"))
        value = None if head is None else yaml.load(head[1], _Core)  # noqa: S506 - a SafeLoader, narrowed
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise FrontmatterError(" ".join(str(error).split())) from error
    if not isinstance(value, dict):
        raise FrontmatterError("it does not begin with a mapping between two lines of ---")
    return value


class _Core(yaml.SafeLoader):
    """The safe loader, with the types of YAML 1.2's core schema and no others."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library's own class attribute

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias, which JSON does not have")
        return super().compose_node(parent, index)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the library's signature
    ) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys) or len(keys) != len(set(keys)):
            raise yaml.YAMLError("a key that is no text, or stands twice")
        return super().construct_mapping(node, deep)


for _kind, (_pattern, _first) in CORE.items():
    _Core.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first
    )
_Core.add_constructor("tag:yaml.org,2002:int", lambda _loader, node: int(node.value))
_Core.add_constructor("tag:yaml.org,2002:float", lambda _loader, node: float(node.value))
