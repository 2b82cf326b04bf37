"""What a person does on our pages, in a real browser, and the program that sent them there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from anyio.abc import SocketStream

from catshop.protocol.http1.server import bind, port_of
from tests.support.shop import Open
from tests.support.terminal import PASSWORD, Terminal

if TYPE_CHECKING:
    from playwright.async_api import Page  # not among what `make test` installs


@dataclass
class Native:
    """A program with a port of its own on this machine, where it waits for the answer."""

    callback: str
    heard: anyio.Event
    query: str = ""

    async def answer(self) -> dict[str, str]:
        """What it was told, once it was."""
        with anyio.fail_after(10):
            await self.heard.wait()
        return {name: value for name, [value] in parse_qs(self.query).items()}

    async def take(self, stream: SocketStream) -> None:
        """Take one request, and thank for it."""
        async with stream:
            target = (await stream.receive()).split(b" ")[1].decode()
            if target.startswith("/callback"):
                self.query = urlsplit(target).query
                self.heard.set()
            body = b"<!doctype html><title>Thanks</title>"
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
            await stream.send(f"{head}Connection: close\r\n\r\n".encode() + body)


@asynccontextmanager
async def native() -> AsyncIterator[Native]:
    """Such a program."""
    [listener] = await bind(("127.0.0.1",), 0)
    program = Native(f"http://127.0.0.1:{port_of(listener)}/callback", anyio.Event())
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, program.take)
        yield program
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def client_of(shop: Open, **about: str) -> AsyncIterator[Terminal]:
    """A registered client."""
    async with httpx2.AsyncClient() as http:
        client = Terminal(shop.url, http, http, **about)
        await client.register()
        yield client


async def sign_up(page: Page, name: str = "alice") -> None:
    """Create an account with the second form."""
    await page.get_by_text("New here?").click()
    await page.get_by_label("Choose a username").fill(name)
    await page.get_by_label("Choose a password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()


async def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Use the first form."""
    await page.get_by_label("Username", exact=True).fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def allow(page: Page) -> None:
    """Say yes."""
    await page.get_by_role("button", name="Allow", exact=True).click()


async def wrong_verifier(url: str) -> None:
    """A client comes in as it should, and then has not the verifier that it began with."""
    async with httpx2.AsyncClient() as http, httpx2.AsyncClient() as browser:
        client = Terminal(url, http, browser)
        await http.post(f"{url}/mcp", json={})
        await http.get(f"{url}/.well-known/oauth-protected-resource/mcp")
        await http.get(f"{url}/.well-known/oauth-authorization-server")
        await client.register()
        code = await client.code("alice")
        client.verifier = "n" * 43
        assert (await client.redeem(code)).status_code == 400
