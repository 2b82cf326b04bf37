"""Skills of a server: what is listed is a promise, and nothing is used before it is kept.

Nothing is fetched ahead: a file is read when somebody wants it. Then its octets must have the
listed size and digest, and the head of a SKILL.md must say what the list said; a skill that broke
its word once is not read from again. Pure. Next: `client.py`, which reads.
MCP 2026-07-28 extensions/skills §verification-on-read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from catshop.client.errors import ClientError, NotMcp
from catshop.protocol.frontmatter import FrontmatterError, parse
from catshop.protocol.jsonrpc import Params

MOST_FILES: Final = 512
MOST_OCTETS: Final = 16 * 1024 * 1024
"""What a host accepts of one skill. MCP 2026-07-28 extensions/skills §limits."""


class Tampered(ClientError):
    """What was read is not what was listed; the skill is not to be used."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a skill, as the list promises it."""

    uri: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Skill:
    """One entry of `skills/list`. `files` is None where the server makes them up as it goes."""

    uri: str
    frontmatter: Params
    files: Mapping[str, File] | None

    @property
    def name(self) -> str:
        """What the skill is called."""
        return str(self.frontmatter.get("name", ""))

    @property
    def description(self) -> str:
        """When it is of use."""
        return str(self.frontmatter.get("description", ""))


def read_entry(entry: object) -> Skill:
    """A skill from its entry. NotMcp when that lacks a member, or promises too much.

    MCP 2026-07-28 extensions/skills §skill-entries, §limits.
    """
    match entry:
        case {"uri": str(uri), "frontmatter": dict(frontmatter), "resources": "dynamic"}:
            return Skill(uri, frontmatter, None)
        case {"uri": str(uri), "frontmatter": dict(frontmatter), "resources": list(resources)}:
            files = [_file(each) for each in resources]
            octets = sum(file.size for file in files)
            if len(files) > MOST_FILES or octets > MOST_OCTETS:
                raise NotMcp("E-VERIFY-04", f"{len(files)} files, {octets} octets")
            return Skill(uri, frontmatter, {file.uri: file for file in files})
        case _:
            raise NotMcp("E-SERVER-05", "an entry of skills/list without its members")


def _file(entry: object) -> File:
    match entry:
        case {"uri": str(uri), "digest": str(digest), "size": int(size)} if size >= 0:
            return File(uri, digest, size)
        case _:
            raise NotMcp("E-SERVER-05", "a resource of a skill without its members")


def contents(uri: str, result: Params) -> bytes:
    """The octets of one file out of a ReadResourceResult."""
    found = result.get("contents")
    for each in found if isinstance(found, list) else ():
        match each:
            case {"uri": str(named), "text": str(text)} if named == uri:
                return text.encode("utf-8", "surrogatepass")
            case {"uri": str(named), "blob": str(blob)} if named == uri:
                return _decoded(blob)
    raise NotMcp("E-SERVER-05", f"no contents of {uri[:200]!a}")


def _decoded(blob: str) -> bytes:
    try:
        return base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotMcp("E-SERVER-05", "a blob that is not Base64") from error


def verify(skill: Skill, uri: str, content: bytes) -> None:
    """The octets are those that the list promised. Tampered says what differs.

    MCP 2026-07-28 extensions/skills §verification-on-read, §frontmatter-verification.
    """
    if skill.files is not None:
        _verify_octets(skill.files.get(uri), uri, content)
    if uri == skill.uri:
        _verify_frontmatter(skill, content)


def _verify_octets(file: File | None, uri: str, content: bytes) -> None:
    if file is None:
        raise Tampered("E-VERIFY-01", f"{uri[:200]!a} is not listed")
    if len(content) != file.size:
        raise Tampered("E-VERIFY-01", f"{len(content)} octets, not {file.size}")
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != file.digest:
        raise Tampered("E-VERIFY-02", uri[:200])


def _verify_frontmatter(skill: Skill, content: bytes) -> None:
    try:
        said = parse(content)
    except FrontmatterError as error:
        raise Tampered("E-VERIFY-03", str(error)[:200]) from error
    if _canonical(said) != _canonical(skill.frontmatter):
        raise Tampered("E-VERIFY-03", skill.name[:80])


def _canonical(value: Params) -> str:
    """As JSON, so that true is not 1 and the order of members does not count."""
    return json.dumps(value, sort_keys=True)
