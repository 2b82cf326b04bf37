"""What a client may suggest while its user types: for prompts and for the template of products.

Each argument of a prompt says itself what it may be (`prompts.py`); here the typed text picks from
that: what begins with it first, then what contains it. A user is only ever shown their own history.
MCP 2026-07-28 server/utilities/completion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mcp_types import CompleteRequestParams, CompleteResult, Completion, PromptReference

from catshop.tools.arguments import show
from catshop.tools.faults import refusal
from catshop.tools.model import plain
from catshop.tools.prompts import offered
from catshop.tools.shop import ToolCall
from catshop.tools.uris import PRODUCT

MOST: Final = 100
"""MCP 2026-07-28 server/utilities/completion §completion-results."""


async def complete(call: ToolCall, params: CompleteRequestParams) -> CompleteResult:
    """Suggestions for one argument. MCPError E-PROMPT-03 when there is no such argument."""
    ref, argument = params.ref, params.argument
    chosen = (params.context and params.context.arguments) or {}
    if isinstance(ref, PromptReference):
        return _result(
            matching(await _suggested(call, ref.name, argument.name, chosen), argument.value)
        )
    if (ref.uri, argument.name) != (PRODUCT, "id"):
        raise refusal("E-PROMPT-03", f"{show(argument.name)} of {show(ref.uri)}")
    return _result(await _product_ids(call, argument.value))


def matching(candidates: Iterable[str], typed: str) -> list[str]:
    """The candidates that begin with what was typed, then those that contain it."""
    wanted = plain(typed)
    hits = [candidate for candidate in candidates if wanted in plain(candidate)]
    return sorted(hits, key=lambda hit: not plain(hit).startswith(wanted))


async def _suggested(
    call: ToolCall, prompt: str, name: str, chosen: Mapping[str, str]
) -> Sequence[str]:
    spec = offered(call).get(prompt)
    argument = spec.argument(name) if spec else None
    if argument is None:
        raise refusal("E-PROMPT-03", f"{show(name)} of {show(prompt)}")
    return await argument.suggest(call, chosen) if argument.suggest else ()


async def _product_ids(call: ToolCall, typed: str) -> list[str]:
    """Ids that begin with what was typed, then those of products whose name contains it."""
    products = (await call.shop.catalog.shelf()).products
    wanted = plain(typed)
    ids = [str(product.id) for product in products if str(product.id).startswith(wanted)]
    named = [str(product.id) for product in products if wanted in plain(product.name)]
    return list(dict.fromkeys([*ids, *named]))


def _result(values: Sequence[str]) -> CompleteResult:
    completion = Completion(
        values=list(values[:MOST]), total=len(values), has_more=len(values) > MOST
    )
    return CompleteResult(completion=completion)
