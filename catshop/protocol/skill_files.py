"""A folder of skills, read once at the start into a table of what is served.

A URI is looked up in that table and never joined to a path, so there is no way out of the folder:
what was not found at the start is not served, a link is refused, and content cannot drift away from
its digest. A folder with a `SKILL.md` is a skill, at whatever depth. Knows no methods.
Next: `skills.py`. MCP 2026-07-28 extensions/skills.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from catshop.catalogue import explain
from catshop.protocol.frontmatter import FrontmatterError, parse

SKILL_FILE: Final = "SKILL.md"
DIRECTORY: Final = "inode/directory"
"""The media type of a directory. §directory-resources."""

NAME: Final = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
"""The name of a skill, and of its folder. §skill-format."""

MOST_FILES: Final = 512
MOST_OCTETS: Final = 16 * 1024 * 1024
"""What every host accepts of one skill. §limits."""


class SkillRefused(Exception):
    """The folder cannot be served; `str()` is the one line for the operator."""

    def __init__(self, code: str, where: Path, detail: str = "") -> None:
        words = explain(code)
        said = f" ({detail})" if detail else ""
        super().__init__(f"{code} {where}: {words.title}{said}. {words.fix}")
        self.code = code


@dataclass(frozen=True, slots=True)
class SkillFile:
    """One file that is served, with the octets that its digest is of."""

    uri: str
    name: str
    content: bytes

    @property
    def mime_type(self) -> str:
        """What the name says, or what the octets look like."""
        guessed, _ = mimetypes.guess_type(self.name)
        return guessed or ("application/octet-stream" if self.text is None else "text/plain")

    @property
    def text(self) -> str | None:
        """The file as text; None where it is not UTF-8."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return None

    @property
    def manifest(self) -> dict[str, object]:
        """How the skill's entry lists the file. §skill-entries."""
        digest = f"sha256:{hashlib.sha256(self.content).hexdigest()}"
        return {"uri": self.uri, "digest": digest, "size": len(self.content)}


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill: its SKILL.md, what that says of it, and all its files, nested skills' too."""

    document: SkillFile
    frontmatter: Mapping[str, object]
    files: tuple[SkillFile, ...]

    @property
    def entry(self) -> dict[str, object]:
        """The skill as `skills/list` and `skills/get` show it. §skill-entries."""
        return {
            "uri": self.document.uri,
            "frontmatter": dict(self.frontmatter),
            "resources": [file.manifest for file in self.files],
        }


@dataclass(frozen=True, slots=True)
class Library:
    """Everything that is served, by URI: skills, files, and the children of each directory."""

    skills: Mapping[str, Skill]
    files: Mapping[str, SkillFile]
    directories: Mapping[str, tuple[SkillFile | str, ...]]
    """A child is a file, or the URI of a directory."""


def read_library(root: Path) -> Library:
    """The skills below `root`. SkillRefused where one breaks a rule that a host would enforce."""
    found = dict(_files(root))
    homes = sorted(path.parent for path in found if path.name == SKILL_FILE)
    skills = [_skill(home, found) for home in homes]
    served = {file.uri: file for skill in skills for file in skill.files}
    return Library(
        {skill.document.uri: skill for skill in skills}, served, dict(_directories(served))
    )


def _files(root: Path) -> Iterator[tuple[Path, SkillFile]]:
    """Every file below `root`, by path; hidden ones and compiled Python are nobody's business."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in (*folders, *sorted(names)):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise SkillRefused("E-SKILL-05", path)
            if path.is_file() and not _hidden(name):
                parts = path.relative_to(root).parts
                uri = "skill://" + "/".join(quote(part, safe="") for part in parts)
                yield path, SkillFile(uri, name, path.read_bytes())


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _skill(home: Path, found: Mapping[Path, SkillFile]) -> Skill:
    files = tuple(file for path, file in found.items() if path.is_relative_to(home))
    octets = sum(len(file.content) for file in files)
    if len(files) > MOST_FILES or octets > MOST_OCTETS:
        raise SkillRefused("E-SKILL-06", home, f"{len(files)} files, {octets} octets")
    document = found[home / SKILL_FILE]
    try:
        frontmatter = parse(document.content)
    except FrontmatterError as error:
        raise SkillRefused("E-SKILL-03", home / SKILL_FILE, str(error)) from error
    name, description = frontmatter.get("name"), frontmatter.get("description")
    if name != home.name or not NAME.fullmatch(home.name):
        raise SkillRefused("E-SKILL-04", home, f"name {name!a}")
    if not isinstance(description, str) or not 1 <= len(description) <= 1024:
        raise SkillRefused("E-SKILL-04", home, "no description of 1 to 1024 characters")
    return Skill(document, frontmatter, files)


def _directories(
    served: Mapping[str, SkillFile],
) -> Iterator[tuple[str, tuple[SkillFile | str, ...]]]:
    """Each directory with its direct children, in the order of their names."""
    children: dict[str, dict[str, SkillFile | str]] = {}
    for file in served.values():
        uri = file.uri.rpartition("/")[0]
        children.setdefault(uri, {})[file.uri] = file
        while (above := uri.rpartition("/")[0]) != "skill:/":
            children.setdefault(above, {})[uri] = uri
            uri = above
    for uri, within in children.items():
        yield uri, tuple(within[child] for child in sorted(within))
