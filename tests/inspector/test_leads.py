"""Refusals of a shop that is inspected lead to a page; those of any other shop lead nowhere."""

from __future__ import annotations

from pathlib import Path

import httpx2

from tests.support.inspected import inspected
from tests.support.shop import open_shop

BAD = {"grant_type": "authorization_code", "client_id": "nobody", "code": "x"}


async def test_an_error_uri_leads_to_the_words_without_a_cookie(tmp_path: Path) -> None:
    """RFC 6749 §5.2: a human-readable page with information about the error."""
    async with inspected(tmp_path) as watched, httpx2.AsyncClient() as http:
        told = (await http.post(f"{watched.url}/token", data=BAD)).json()
        assert told["error_uri"] == f"{watched.home}/-/explain/E-TOKEN-03"
        page = await http.get(told["error_uri"])
        assert (page.status_code, "E-TOKEN-03" in page.text) == (200, True)
        challenged = (await http.post(watched.mcp, json={})).json()
        assert challenged["explain"] == f"{watched.home}/-/explain/E-CHAL-01"


async def test_without_the_pages_nothing_leads_to_them(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop, httpx2.AsyncClient() as http:
        assert "error_uri" not in (await http.post(f"{shop.url}/token", data=BAD)).json()
        assert "explain" not in (await http.post(shop.mcp, json={})).json()
