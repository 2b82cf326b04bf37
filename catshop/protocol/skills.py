"""The skills extension, as a feature that any low-level `Server` can switch on.

A skill is a folder of instructions that a server ships with itself. `Skills(root).install(server)`
adds `skills/list`, `skills/get` and `resources/directory/read`, and puts the files among the
server's own resources, behind those that it has. Every caller sees the same. Next:
`skill_files.py`, which reads the folder. MCP 2026-07-28 extensions/skills.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    BlobResourceContents,
    ListResourcesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    RequestParams,
    Resource,
    TextResourceContents,
)

from catshop.limits import SkillLimits
from catshop.protocol.jsonrpc import INVALID_PARAMS, RpcError
from catshop.protocol.skill_files import DIRECTORY, SkillFile, read_library

SKILLS: Final = "io.modelcontextprotocol/skills"
"""The extension's identifier. §extension-identifier."""

Context = ServerRequestContext[Any, Any]


class GetParams(RequestParams):
    """What `skills/get` takes."""

    uri: str


class DirectoryParams(PaginatedRequestParams):
    """What `resources/directory/read` takes."""

    uri: str


class Skills:
    """The feature, for the skills in one folder. SkillRefused where that breaks a rule."""

    def __init__(self, root: Path, limits: SkillLimits | None = None) -> None:
        self._library = read_library(root)
        self._fresh = (limits or SkillLimits()).ttl_milliseconds
        self._cache: dict[str, object] = {"ttlMs": self._fresh, "cacheScope": "public"}

    def install(self, server: Server[Any]) -> None:
        """Switch the extension on, after the server has its own handlers of resources."""
        listing = server.get_request_handler("resources/list")
        reading = server.get_request_handler("resources/read")
        self._list_own = listing.handler if listing else _no_resources
        self._read_own = reading.handler if reading else _no_resource
        server.extensions[SKILLS] = {"directoryRead": True}
        server.add_request_handler("resources/list", PaginatedRequestParams, self._list_resources)
        server.add_request_handler("resources/read", ReadResourceRequestParams, self._read)
        server.add_request_handler("resources/directory/read", DirectoryParams, self._directory)
        server.add_request_handler("skills/list", PaginatedRequestParams, self._list)
        server.add_request_handler("skills/get", GetParams, self._get)

    async def _list(self, _ctx: Context, params: PaginatedRequestParams) -> HandlerResult:
        """Every skill, with the digest of each of its files, on one page. §listing-skills."""
        _first_page(params)
        skills = [skill.entry for skill in self._library.skills.values()]
        return {"skills": skills, **self._cache}

    async def _get(self, _ctx: Context, params: GetParams) -> HandlerResult:
        """One skill by the URI of its SKILL.md. §getting-a-skill."""
        skill = self._library.skills.get(params.uri)
        if skill is None:
            raise _unknown("E-SKILL-01", params.uri)
        return {"skill": skill.entry, **self._cache}

    async def _directory(self, _ctx: Context, params: DirectoryParams) -> HandlerResult:
        """The direct children of a directory, on one page. §reading-directories."""
        _first_page(params)
        children = self._library.directories.get(params.uri)
        if children is None:
            raise _unknown("E-SKILL-02", params.uri)
        listed = ListResourcesResult(resources=[_resource(child) for child in children])
        return {"resources": listed.model_dump(by_alias=True, exclude_none=True)["resources"]}

    async def _read(self, ctx: Context, params: ReadResourceRequestParams) -> HandlerResult:
        """A file of a skill, or what the server has under that URI. §reading-skill-content."""
        file = self._library.files.get(params.uri)
        if file is None:
            result: HandlerResult = await self._read_own(ctx, params)
            return result
        return ReadResourceResult(
            contents=[_contents(file)], ttl_ms=self._fresh, cache_scope="public"
        )

    async def _list_resources(self, ctx: Context, params: PaginatedRequestParams) -> HandlerResult:
        """The server's own resources, and behind its last page every SKILL.md."""
        own = ListResourcesResult.model_validate(await self._list_own(ctx, params))
        if own.next_cursor is not None:
            return own
        skills = self._library.skills.values()
        documents = [
            _resource(skill.document).model_copy(
                update={
                    "name": skill.frontmatter["name"],
                    "description": skill.frontmatter["description"],
                }
            )
            for skill in skills
        ]
        return own.model_copy(update={"resources": [*own.resources, *documents]})


def _resource(child: SkillFile | str) -> Resource:
    """The metadata of a file, or of the directory with that URI. §resource-metadata."""
    if isinstance(child, str):
        return Resource(uri=child, name=child.rpartition("/")[2], mime_type=DIRECTORY)
    size = len(child.content)
    return Resource(uri=child.uri, name=child.name, mime_type=child.mime_type, size=size)


def _contents(file: SkillFile) -> TextResourceContents | BlobResourceContents:
    """The very octets: as text where they are text, which encodes back to the same octets."""
    if file.text is not None:
        return TextResourceContents(uri=file.uri, mime_type=file.mime_type, text=file.text)
    blob = base64.b64encode(file.content).decode("ascii")
    return BlobResourceContents(uri=file.uri, mime_type=file.mime_type, blob=blob)


def _first_page(params: PaginatedRequestParams) -> None:
    """There is one page, so no cursor is ours. MCP 2026-07-28 server/utilities/pagination."""
    if params.cursor is not None:
        raise RpcError(INVALID_PARAMS, "E-SKILL-07", arrived=ascii(params.cursor)[:80])


def _unknown(code: str, uri: str) -> RpcError:
    return RpcError(INVALID_PARAMS, code, arrived=ascii(uri)[:200], required={"uri": uri})


async def _no_resources(_ctx: Context, params: PaginatedRequestParams) -> ListResourcesResult:
    """The resources of a server that has none."""
    _first_page(params)
    return ListResourcesResult(resources=[])


async def _no_resource(_ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """What a server without resources says of each."""
    raise _unknown("E-SKILL-01", params.uri)
