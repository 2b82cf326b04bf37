"""A browser program for tests: `python -m tests.support.reader URL` signs up and says yes.

What a desktop starts when a program opens a page. Who it is, and what it says to the consent page,
come from the environment: PERSON and DECISION.
"""

from __future__ import annotations

import os
import sys

import anyio
import httpx2

from tests.support.person import Person

PASSWORD = "correct horse battery staple"


class Reader(Person):
    """A person who may also say no, and whose browser goes on to the program that asked."""

    async def read(self, url: str, decision: str) -> None:
        """Open the page, sign up, decide, and follow where that leads."""
        page = await self._follow(await self._client.get(url))
        page = await self._press(page, "action", "sign-up", password=True)
        await self._press(page, "decision", decision)


async def main(url: str) -> None:
    """Read the page, and go where it leads."""
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        reader = Reader(http, os.environ["PERSON"], PASSWORD)
        await reader.read(url, os.environ.get("DECISION", "approve"))


if __name__ == "__main__":
    anyio.run(main, sys.argv[-1])
