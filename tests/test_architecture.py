"""The walls of the house: who may import whom, what pure code may not touch, how modules open.

The table of packages is `[tool.importlinter]` in pyproject.toml; the rules that it cannot express
stand here, each as data first. ARCHITECTURE.md says the same in words.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "catshop"
MODULES: Final = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))

PURE: Final = (
    "catshop/catalogue",
    "catshop/cli/hosts.py",
    "catshop/cli/merging.py",
    "catshop/client/doctor/authority.py",
    "catshop/client/doctor/chart.py",
    "catshop/client/doctor/door.py",
    "catshop/client/doctor/reach.py",
    "catshop/client/doctor/talk.py",
    "catshop/client/doctor/visit.py",
    "catshop/client/oauth/challenges.py",
    "catshop/client/oauth/discovery.py",
    "catshop/client/oauth/errors.py",
    "catshop/client/oauth/grants.py",
    "catshop/client/oauth/possession.py",
    "catshop/client/oauth/registration.py",
    "catshop/client/oauth/scopes.py",
    "catshop/client/oauth/sign_in.py",
    "catshop/client/oauth/steps.py",
    "catshop/client/answers.py",
    "catshop/client/envelope.py",
    "catshop/client/eras.py",
    "catshop/client/errors.py",
    "catshop/client/inputs.py",
    "catshop/client/mirrors.py",
    "catshop/client/reading.py",
    "catshop/client/resumption.py",
    "catshop/client/skills.py",
    "catshop/client/tasks.py",
    "catshop/config.py",
    "catshop/conversions.py",
    "catshop/inspector/annotations.py",
    "catshop/inspector/beside.py",
    "catshop/inspector/gifts.py",
    "catshop/inspector/redact.py",
    "catshop/inspector/rehearsal.py",
    "catshop/inspector/still.py",
    "catshop/inspector/thoughts.py",
    "catshop/inspector/web/decoders.py",
    "catshop/inspector/web/exchanges.py",
    "catshop/inspector/web/overview.py",
    "catshop/limits.py",
    "catshop/oauth/assertions.py",
    "catshop/oauth/audience.py",
    "catshop/oauth/authorize.py",
    "catshop/oauth/checks.py",
    "catshop/oauth/client_credentials.py",
    "catshop/oauth/clients.py",
    "catshop/oauth/errors.py",
    "catshop/oauth/grants.py",
    "catshop/oauth/metadata.py",
    "catshop/oauth/model.py",
    "catshop/oauth/parameters.py",
    "catshop/oauth/pkce.py",
    "catshop/oauth/redirects.py",
    "catshop/oauth/scopes.py",
    "catshop/oauth/settings.py",
    "catshop/oauth/strict.py",
    "catshop/oauth/tokens.py",
    "catshop/oauth/upstream_identity.py",
    "catshop/protocol/frontmatter.py",
    "catshop/protocol/http1/bodies.py",
    "catshop/protocol/http1/connection.py",
    "catshop/protocol/http1/errors.py",
    "catshop/protocol/http1/fields.py",
    "catshop/protocol/http1/forms.py",
    "catshop/protocol/http1/guard.py",
    "catshop/protocol/http1/heads.py",
    "catshop/protocol/http1/responses.py",
    "catshop/protocol/http1/sse.py",
    "catshop/protocol/http1/targets.py",
    "catshop/protocol/capabilities.py",
    "catshop/protocol/jsonrpc.py",
    "catshop/protocol/ladder.py",
    "catshop/protocol/mirrors.py",
    "catshop/protocol/task_states.py",
    "catshop/protocol/versions.py",
    "catshop/tools/arguments.py",
    "catshop/tools/model.py",
    "catshop/tools/registry.py",
)
"""Modules, and packages whole, that decide and never act: same input, same answer."""

IMPURE: Final = frozenset({"anyio", "asyncio", "random", "secrets", "socket", "time", "trio"})
"""What a pure module must be handed as an argument instead."""

ONE_PLACE: Final = {
    "argon2": ("catshop/oauth/passwords.py",),
    "cryptography": (
        "catshop/oauth/keys.py",
        "catshop/oauth/seals.py",
        "catshop/client/oauth/keys.py",
    ),
    "h11": ("catshop/protocol/http1/",),
    "httpcore2": ("catshop/oauth/fetch.py",),
    "httpx2": ("catshop/client/", "catshop/inspector/proxy.py"),
    "itsdangerous": ("catshop/signing.py",),
    "jinja2": ("catshop/oauth/pages/", "catshop/inspector/web/pages/"),
    "jsonschema": ("catshop/tools/",),
    "jwt": ("catshop/oauth/jwt.py", "catshop/client/oauth/keys.py"),
    "rich": ("catshop/cli/",),
    "sqlite3": ("catshop/storage/",),
    "typer": ("catshop/cli/",),
    "uvloop": ("catshop/app.py",),
    "yaml": ("catshop/protocol/frontmatter.py",),
}
"""Where each protocol, crypto, database and screen library may be imported: nowhere else."""

THE_FIELDS_OWN: Final = frozenset({"resource"})
"""Standard names that the specifications use for something else, and we with them (RFC 8707)."""

NEVER: Final = frozenset({"fastmcp", "starlette", "uvicorn", "sse_starlette", "aiosqlite"})
"""What the shop writes by hand. Tests and measurements may use them as peers."""


def imports(module: str) -> Iterator[str]:
    """Every module that `module` imports, in whatever place, as a dotted name."""
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def roots(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(module)}


def test_every_import_keeps_to_the_walls() -> None:
    """The contracts of pyproject.toml; in a process of its own, for the tool disables loggers."""
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_is_there_and_touches_neither_clock_nor_chance_nor_wire(module: str) -> None:
    found = [name for name in MODULES if name == module or name.startswith(f"{module}/")]
    assert found, f"{module} is on the list of pure modules and not in the tree"
    for name in found:
        assert not roots(name) & IMPURE, f"{name} must be handed what it takes from there"


@pytest.mark.parametrize("library", ONE_PLACE)
def test_a_library_is_imported_in_its_one_place(library: str) -> None:
    importers = [module for module in MODULES if library in roots(module)]
    astray = [module for module in importers if not module.startswith(ONE_PLACE[library])]
    assert not astray, f"{library} belongs to {ONE_PLACE[library]}"


@pytest.mark.parametrize("module", MODULES)
def test_what_is_written_by_hand_is_not_imported(module: str) -> None:
    assert not roots(module) & NEVER
    assert not any(name.startswith("mcp.server.fastmcp") for name in imports(module))


def test_no_file_and_no_folder_carries_the_name_of_a_standard_module() -> None:
    names = {part for module in MODULES for part in Path(module).with_suffix("").parts[1:]}
    clashes = names & sys.stdlib_module_names
    assert clashes <= THE_FIELDS_OWN


@pytest.mark.parametrize("module", MODULES)
def test_a_module_opens_like_a_chapter_and_stays_short(module: str) -> None:
    text = (ROOT / module).read_text("utf-8")
    length = text.count("\n")
    opening = ast.get_docstring(ast.parse(text)) or ""
    assert opening, f"{module} does not say what it is"
    if not module.endswith("__init__.py"):
        lines = opening.count("\n") + 1
        assert 3 <= lines <= 12, f"{module} opens with other than 3 to 12 lines"
    assert "://" not in opening, f"{module}: cite the section, never a URL"
    assert length < 400, f"{module} has more than one idea; split it"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_says_what_must_hold(module: str) -> None:
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    silent = [name for name in public(tree.body) if name]
    assert not silent, f"{module}: no docstring on {silent}"


def test_every_migration_has_a_number_of_its_own() -> None:
    """Two of one number would be one to a database that has seen the first."""
    numbers = [int(path.name[:4]) for path in sorted((PACKAGE / "storage/schema").glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Public functions and classes, and methods of those, that have no docstring."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_") or is_overload(node):
                continue
            if ast.get_docstring(node) is None:
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def test_no_two_migrations_have_one_number() -> None:
    """The second of them would never run: what is recorded as done is the number."""
    schema = ROOT / "catshop/storage/schema"
    numbers = sorted(int(file.name[:4]) for file in schema.glob("*.sql"))
    assert numbers == list(range(1, len(numbers) + 1))
