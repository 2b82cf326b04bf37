"""Numbered migrations: how a database comes to have the tables that this program knows.

A migration is a file `schema/NNNN_name.sql`; it is never edited once released, only followed by the
next. Each runs in one transaction together with the row that says that it ran, so a process that
is killed leaves the old schema or the new one, and two that start at once apply it once. A database
with a number that this program does not know is newer, and is refused rather than guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import resources
from typing import Final

from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.faults import StartRefused

NAME: Final = re.compile(r"(\d{4})_([a-z_]+)\.sql")

LEDGER: Final = """
    CREATE TABLE IF NOT EXISTS migrations (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        applied_at BIGINT NOT NULL
    )
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a schema to the next; `statements` in the order in which they run."""

    number: int
    name: str
    statements: tuple[str, ...]


def parse(number: int, name: str, script: str) -> Migration:
    """A migration from its file: `--` begins a comment line, `;` at a line's end ends a statement.

    Both SQLite and PostgreSQL take one statement at a time, and no more SQL than that is read here.
    """
    code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("--"))
    parts = (part.strip() for part in re.split(r";\s*(?:\n|\Z)", code))
    return Migration(number, name, tuple(part for part in parts if part))


def migrations() -> tuple[Migration, ...]:
    """What this program knows, in order."""
    files = resources.files("catshop.storage").joinpath("schema").iterdir()
    named = ((NAME.fullmatch(file.name), file) for file in files)
    found = (parse(int(n[1]), n[2], file.read_text("utf-8")) for n, file in named if n)
    return tuple(sorted(found, key=lambda migration: migration.number))


async def migrate(
    database: Database,
    now: datetime,
    known: Iterable[Migration] | None = None,
    *,
    where: str = "the database",
) -> tuple[int, ...]:
    """Bring the schema up to date and return the numbers that were missing. Idempotent.

    Refuses to start on a schema that is newer than `known`, and has then changed nothing.
    """
    steps = tuple(migrations() if known is None else known)
    newest = await database.write(_newest)
    if newest > max((step.number for step in steps), default=0):
        raise StartRefused("E-DB-07", where, f"its schema has number {newest}")
    applied = [
        step.number for step in steps if await database.write(partial(_apply, step=step, now=now))
    ]
    return tuple(applied)


def _newest(statements: Statements) -> int:
    statements.run(LEDGER)
    row = statements.one("SELECT max(number) AS newest FROM migrations")
    return int((row and row["newest"]) or 0)


def _apply(statements: Statements, *, step: Migration, now: datetime) -> bool:
    """Apply one step unless another process has; the ledger decides, inside the transaction."""
    ran = statements.run(
        "INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        step.number,
        step.name,
        milliseconds(now),
    )
    if not ran:
        return False
    for statement in step.statements:
        statements.run(statement)
    return True
