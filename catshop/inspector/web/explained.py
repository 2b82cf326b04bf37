"""Refusals that say where they are explained, for as long as somebody serves the explanations.

An OAuth error gets `error_uri`, also in the address of a redirect; a JSON-RPC error gets
`data.explain`, a refusal in HTTP `explain`. A server without those pages leads nowhere, so none of
this is in the planes: a handler around theirs reads the code that each refusal names anyway. Next:
`catshop/catalogue/page.py`, what is served there. RFC 6749 §4.1.2.1, §5.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from catshop.catalogue import catalogue
from catshop.protocol.http1.door import admitted
from catshop.protocol.http1.messages import JSON, Answer, Handler, Request, Streamed

CODE: Final = re.compile(r"E-[A-Z]+-[0-9]{2}\Z")
"""The code with which a description ends."""


class Explaining:
    """A handler whose refusals lead to `base` and their code. Streams pass as they are."""

    def __init__(self, handler: Handler, base: str) -> None:
        self._handler = handler
        self._base = base

    async def __call__(self, request: Request) -> Answer | Streamed:
        """The answer of the handler, with the way to its explanation if it is a refusal."""
        answer = await admitted(self._handler, request)
        return explained(answer, self._base) if isinstance(answer, Answer) else answer


def explained(answer: Answer, base: str) -> Answer:
    """`answer`, with the address of what explains it; as it is when it names no code of ours."""
    if JSON in answer.fields and b"E-" in answer.body:
        return _in_body(answer, base)
    return _in_location(answer, base) if 300 <= answer.status < 400 else answer


def _in_body(answer: Answer, base: str) -> Answer:
    """The members of a JSON object, and one more. Ours are never NaN and never twice."""
    told = json.loads(answer.body)
    if not isinstance(told, dict) or not _extended(told, base):
        return answer
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return replace(answer, body=text.encode("utf-8"))


def _extended(told: dict[str, Any], base: str) -> bool:
    """Whether it was a refusal, which then says where it is explained."""
    error = told.get("error")
    data = error.get("data") if isinstance(error, Mapping) else None
    if isinstance(data, dict) and (code := _known(data.get("code"))):
        data["explain"] = base + code
    elif isinstance(error, str) and (code := _ending(told.get("error_description"))):
        told["error_uri"] = base + code
    elif isinstance(error, str) and (code := _known(told.get("code"))):
        told["explain"] = base + code
    else:
        return False
    return True


def _in_location(answer: Answer, base: str) -> Answer:
    """A redirect to a client that tells it of an error."""
    return replace(answer, fields=tuple((n, _led(n, v, base)) for n, v in answer.fields))


def _led(name: str, value: str, base: str) -> str:
    told = parse_qs(urlsplit(value).query) if name == "location" else {}
    if "error" not in told or not (code := _ending(told.get("error_description", [""])[0])):
        return value
    return f"{value}&{urlencode({'error_uri': base + code}, quote_via=quote)}"


def _ending(description: object) -> str | None:
    found = CODE.search(description) if isinstance(description, str) else None
    return _known(found[0]) if found else None


def _known(code: object) -> str | None:
    return code if isinstance(code, str) and code in catalogue() else None
