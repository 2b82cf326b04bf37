"""The skills extension on a real socket, serving a folder."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    ListResourcesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    TextResourceContents,
)

from catshop.protocol.skill_files import SkillRefused, read_library
from catshop.protocol.skills import SKILLS, Skills
from tests.support.hosting import Hosting, hosting

Context = ServerRequestContext[Any, Any]
FORMS = b"# Forms\n"
IMAGE = b"\x89PNG\r\n\x1a\n\xff"
DOCUMENT = """---
name: {0}
description: "All about {0}: with a colon"
metadata: {{version: 2.1.0}}
---
# {0}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two skills, one of which holds a third, beside what is no skill."""
    write(tmp_path, "grooming/SKILL.md", DOCUMENT.format("grooming").encode())
    write(tmp_path, "grooming/references/FORMS.md", FORMS)
    write(tmp_path, "grooming/references/more/a cat.png", IMAGE)
    write(tmp_path, "grooming/.hidden", b"secret")
    write(tmp_path, "acme/feeding/SKILL.md", DOCUMENT.format("feeding").encode())
    write(tmp_path, "acme/feeding/kittens/SKILL.md", DOCUMENT.format("kittens").encode())
    write(tmp_path, "README.md", b"not served")
    return tmp_path


def write(root: Path, name: str, content: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Own:
    """A server with two pages of resources of its own."""

    async def list_resources(
        self, _ctx: Context, params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        second = params is not None and params.cursor == "2"
        resource = Resource(uri=f"own://{1 + second}", name="own")
        return ListResourcesResult(resources=[resource], next_cursor=None if second else "2")

    async def read(self, _ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, text="own")])

    def build(self) -> Server[Any]:
        return Server(
            "own",
            version="1",
            on_list_resources=self.list_resources,
            on_read_resource=self.read,
        )


@asynccontextmanager
async def serving(root: Path, server: Server[Any] | None = None) -> AsyncIterator[Hosting]:
    server = server or Own().build()
    Skills(root).install(server)
    async with hosting(server) as host:
        yield host


async def rpc(host: Hosting, method: str, **params: Any) -> dict[str, Any]:
    headers = {"Mcp-Name": params["uri"]} if method == "resources/read" else {}
    result: dict[str, Any] = (await host.modern(method, params, **headers)).json()["result"]
    assert result["resultType"] == "complete"
    return result


def code(response: httpx2.Response) -> tuple[int, int]:
    return response.status_code, response.json()["error"]["code"]


async def test_discover_says_that_directories_can_be_read(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §capability-negotiation."""
    async with serving(root) as host:
        found = (await rpc(host, "server/discover"))["capabilities"]
    assert found["extensions"] == {SKILLS: {"directoryRead": True}}
    assert isinstance(found["resources"], dict)


async def test_each_skill_is_listed_with_its_frontmatter_and_all_its_files(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §listing-skills, §skill-entries, §nested-skills."""
    async with serving(root) as host:
        found = await rpc(host, "skills/list")
    assert (found["ttlMs"], found["cacheScope"]) == (300_000, "public")
    assert "nextCursor" not in found
    by_uri = {skill["uri"]: skill for skill in found["skills"]}
    assert list(by_uri) == [
        "skill://acme/feeding/SKILL.md",
        "skill://acme/feeding/kittens/SKILL.md",
        "skill://grooming/SKILL.md",
    ]
    grooming = by_uri["skill://grooming/SKILL.md"]
    assert grooming["frontmatter"] == {
        "name": "grooming",
        "description": "All about grooming: with a colon",
        "metadata": {"version": "2.1.0"},
    }
    assert [each["uri"] for each in grooming["resources"]] == [
        "skill://grooming/SKILL.md",
        "skill://grooming/references/FORMS.md",
        "skill://grooming/references/more/a%20cat.png",
    ]
    enclosing = by_uri["skill://acme/feeding/SKILL.md"]["resources"]
    assert "skill://acme/feeding/kittens/SKILL.md" in {each["uri"] for each in enclosing}


async def test_what_is_read_has_the_digest_and_the_size_of_the_entry(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §resources, §verification-on-read."""
    async with serving(root) as host:
        entry = (await rpc(host, "skills/get", uri="skill://grooming/SKILL.md"))["skill"]
        for listed in entry["resources"]:
            [content] = (await rpc(host, "resources/read", uri=listed["uri"]))["contents"]
            raw = content.get("text", "").encode() or base64.b64decode(content["blob"])
            assert content["uri"] == listed["uri"]
            assert listed["size"] == len(raw)
            assert listed["digest"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"


async def test_skills_get_and_skills_list_say_the_same_of_a_skill(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §getting-a-skill."""
    async with serving(root) as host:
        for listed in (await rpc(host, "skills/list"))["skills"]:
            got = await rpc(host, "skills/get", uri=listed["uri"])
            assert got["skill"] == listed
            assert (got["ttlMs"], got["cacheScope"]) == (300_000, "public")


@pytest.mark.parametrize(
    "uri",
    [
        "skill://unknown/SKILL.md",
        "skill://grooming",
        "skill://grooming/references/FORMS.md",
        "skill://grooming/./SKILL.md",
        "",
    ],
)
async def test_what_is_no_skill_is_refused(root: Path, uri: str) -> None:
    """MCP 2026-07-28 extensions/skills §getting-a-skill, §error-handling."""
    async with serving(root) as host:
        refused = await host.modern("skills/get", {"uri": uri})
    assert code(refused) == (400, -32602)
    assert refused.json()["error"]["data"]["uri"] == uri


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("skill://grooming/../../etc/passwd", id="dots"),
        pytest.param("skill://grooming/references/../../README.md", id="dots-to-a-file"),
        pytest.param("skill://grooming/%2e%2e/README.md", id="encoded-dots"),
        pytest.param("skill://grooming//etc/passwd", id="absolute"),
        pytest.param("skill://README.md", id="no-skill"),
        pytest.param("skill://grooming/.hidden", id="hidden"),
        pytest.param("skill://grooming/references", id="directory"),
        pytest.param("file:///etc/passwd", id="other-scheme"),
    ],
)
async def test_nothing_but_the_files_of_skills_is_read(root: Path, uri: str) -> None:
    """MCP 2026-07-28 extensions/skills §error-handling: a URI is looked up, never a path."""
    async with serving(root, Server("bare", version="1")) as host:
        refused = await host.modern("resources/read", {"uri": uri}, **{"Mcp-Name": uri})
    assert code(refused) == (400, -32602)


@pytest.mark.parametrize(
    ("uri", "kind", "member"),
    [
        ("skill://grooming/SKILL.md", "text/markdown", "text"),
        ("skill://grooming/references/FORMS.md", "text/markdown", "text"),
        ("skill://grooming/references/more/a%20cat.png", "image/png", "blob"),
    ],
)
async def test_a_file_is_read_as_what_it_is(root: Path, uri: str, kind: str, member: str) -> None:
    """MCP 2026-07-28 extensions/skills §reading-skill-content, §resource-metadata."""
    async with serving(root) as host:
        found = await rpc(host, "resources/read", uri=uri)
        [content] = found["contents"]
        own = await rpc(host, "resources/read", uri="own://1")
    assert content["mimeType"] == kind
    assert member in content
    assert found["ttlMs"] == 300_000
    assert own["contents"][0]["text"] == "own"


@pytest.mark.parametrize(
    ("uri", "children"),
    [
        ("skill://grooming", {"SKILL.md": "text/markdown", "references": "inode/directory"}),
        ("skill://grooming/references", {"FORMS.md": "text/markdown", "more": "inode/directory"}),
        ("skill://grooming/references/more", {"a cat.png": "image/png"}),
        ("skill://acme/feeding", {"SKILL.md": "text/markdown", "kittens": "inode/directory"}),
        ("skill://acme", {"feeding": "inode/directory"}),
    ],
)
async def test_a_directory_shows_its_direct_children(
    root: Path, uri: str, children: dict[str, str]
) -> None:
    """MCP 2026-07-28 extensions/skills §reading-directories, §directory-resources."""
    async with serving(root) as host:
        found = (await rpc(host, "resources/directory/read", uri=uri))["resources"]
    assert {each["name"]: each["mimeType"] for each in found} == children
    assert all(each["uri"].startswith(f"{uri}/") for each in found)


@pytest.mark.parametrize(
    "uri", ["skill://grooming/SKILL.md", "skill://grooming/", "skill://nowhere", "skill://"]
)
async def test_what_is_no_directory_is_refused(root: Path, uri: str) -> None:
    """MCP 2026-07-28 extensions/skills §reading-directories."""
    async with serving(root) as host:
        assert code(await host.modern("resources/directory/read", {"uri": uri})) == (400, -32602)


async def test_skills_stand_behind_the_servers_own_resources(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §resource-metadata."""
    async with serving(root) as host:
        first = await rpc(host, "resources/list")
        last = await rpc(host, "resources/list", cursor=first["nextCursor"])
    assert [each["uri"] for each in first["resources"]] == ["own://1"]
    own, *skills = last["resources"]
    assert own["uri"] == "own://2"
    assert [(each["uri"], each["name"], each["mimeType"]) for each in skills] == [
        ("skill://acme/feeding/SKILL.md", "feeding", "text/markdown"),
        ("skill://acme/feeding/kittens/SKILL.md", "kittens", "text/markdown"),
        ("skill://grooming/SKILL.md", "grooming", "text/markdown"),
    ]
    assert skills[2]["description"] == "All about grooming: with a colon"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("skills/list", {}),
        ("resources/list", {}),
        ("resources/directory/read", {"uri": "skill://grooming"}),
    ],
)
async def test_a_cursor_that_we_never_gave_is_refused(
    root: Path, method: str, params: dict[str, str]
) -> None:
    """MCP 2026-07-28 server/utilities/pagination §error-handling."""
    async with serving(root, Server("bare", version="1")) as host:
        refused = await host.modern(method, {**params, "cursor": "mine"})
    assert code(refused) == (400, -32602)


async def test_a_server_without_resources_has_those_of_its_skills(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §capability-negotiation: it declares resources, too."""
    async with serving(root, Server("bare", version="1")) as host:
        assert len((await rpc(host, "resources/list"))["resources"]) == 3


async def test_the_handshake_era_reads_skills_as_resources(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §capability-negotiation: ordinary resources to others."""
    async with serving(root) as host:
        session = await host.open()
        params = {"uri": "skill://grooming/SKILL.md"}
        read = (await host.call(session, "resources/read", params)).json()["result"]
    assert read["contents"][0]["text"].startswith("---\nname: grooming\n")


def named(name: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        write(root, "grooming/SKILL.md", DOCUMENT.format(name).encode())

    return spoil


def renamed(folder: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        write(root, f"{folder}/SKILL.md", DOCUMENT.format(folder).encode())

    return spoil


def without_description(root: Path) -> None:
    write(root, "grooming/SKILL.md", b"---\nname: grooming\n---\n")


def without_frontmatter(root: Path) -> None:
    write(root, "grooming/SKILL.md", b"# Grooming\n")


def with_a_link_to_a_file(root: Path) -> None:
    (root / "grooming/link.md").symlink_to("/etc/passwd")


def with_a_link_to_a_folder(root: Path) -> None:
    (root / "grooming/link").symlink_to("/etc", target_is_directory=True)


def with_many_files(root: Path) -> None:
    for number in range(512):
        write(root, f"grooming/{number}.md", b"")


def with_many_octets(root: Path) -> None:
    write(root, "grooming/large.bin", bytes(16 * 1024 * 1024))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(named("other"), "E-SKILL-04", id="other-name"),
        pytest.param(renamed("Feeding"), "E-SKILL-04", id="upper-case"),
        pytest.param(renamed("a--b"), "E-SKILL-04", id="double-hyphen"),
        pytest.param(renamed("a-"), "E-SKILL-04", id="hyphen-at-the-end"),
        pytest.param(renamed("a" * 65), "E-SKILL-04", id="65-letters"),
        pytest.param(without_description, "E-SKILL-04", id="no-description"),
        pytest.param(without_frontmatter, "E-SKILL-03", id="no-frontmatter"),
        pytest.param(with_a_link_to_a_file, "E-SKILL-05", id="link-to-a-file"),
        pytest.param(with_a_link_to_a_folder, "E-SKILL-05", id="link-to-a-folder"),
        pytest.param(with_many_files, "E-SKILL-06", id="513-files"),
        pytest.param(with_many_octets, "E-SKILL-06", id="more-than-16-MiB"),
    ],
)
def test_a_folder_that_a_host_would_refuse_is_refused_at_the_start(
    root: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    """MCP 2026-07-28 extensions/skills §resource-mapping, §skill-format, §limits."""
    spoil(root)
    with pytest.raises(SkillRefused, match=expected):
        read_library(root)


def test_the_largest_skill_that_every_host_accepts_is_served(root: Path) -> None:
    """MCP 2026-07-28 extensions/skills §limits."""
    for number in range(509):
        write(root, f"grooming/{number}.md", b"")
    assert len(read_library(root).skills["skill://grooming/SKILL.md"].files) == 512


def test_a_folder_without_skills_has_none(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/skills §listing-skills: the result may be empty."""
    assert not read_library(tmp_path).skills
