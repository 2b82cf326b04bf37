"""What a result means, and what the next request is when it is not yet the end.

A result is complete, or asks for input, or names a task that will have it. Asked for input, the
client sends the same request again with the answers and with the server's state, byte for byte,
under a new id. Which methods may answer so is a table. Pure. Next: `inputs.py`, where the answers
come from; `tasks.py`. MCP 2026-07-28 basic/patterns/mrtr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from catshop.client.errors import NotMcp
from catshop.protocol.jsonrpc import Params

ASKS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""What may ask for input. MCP 2026-07-28 basic/patterns/mrtr §supported-requests."""

DEFERS: Final = frozenset({"tools/call"})
"""Methods whose result may be a task. MCP 2026-07-28 extensions/tasks §supported-methods."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The result itself."""

    result: Params


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The server wants answers first; `state` is its own and nobody else's business."""

    requests: Mapping[str, Params]
    state: str | None


@dataclass(frozen=True, slots=True)
class Deferred:
    """A task will have the result; `task` is how it stands now."""

    task: Params


def read(method: str, result: Params) -> Complete | InputRequired | Deferred:
    """What the result of `method` means; without a `resultType` it is complete.

    A type that we do not know, or that this method cannot have, is no result.
    MCP 2026-07-28 basic §resulttype.
    """
    kind = result.get("resultType", "complete")
    if kind == "complete":
        return Complete(result)
    if kind == "input_required" and method in ASKS:
        return _input_required(result)
    if kind == "task" and method in DEFERS:
        return Deferred(result)
    raise NotMcp("E-SERVER-05", f"{ascii(kind)[:40]} of {method}")


def _input_required(result: Params) -> InputRequired:
    """At least one of its two members is there. §server-requirements-basic-workflow."""
    state = result.get("requestState")
    requests = input_requests(result)
    if not isinstance(state, str | None) or (state is None and not requests):
        raise NotMcp("E-SERVER-05", "input_required without anything to do")
    return InputRequired(requests, state)


def input_requests(result: Params) -> dict[str, Params]:
    """The questions of a result or of a task, by key."""
    requests = result.get("inputRequests")
    if not isinstance(requests, Mapping):
        return {}
    return {key: each for key, each in requests.items() if isinstance(each, Mapping)}


RETRIED: Final = frozenset({"inputResponses", "requestState"})
"""What a retry says beyond the first request."""


def again(params: Params, asked: InputRequired, responses: Params) -> Params:
    """The params of the retry: the first ones, the answers, and the state exactly as it came.

    Neither member is there unless the last result asked for it.
    MCP 2026-07-28 basic/patterns/mrtr §client-requirements-basic-workflow.
    """
    first = {name: told for name, told in params.items() if name not in RETRIED}
    answered = {"inputResponses": responses} if asked.requests else {}
    state = {} if asked.state is None else {"requestState": asked.state}
    return {**first, **answered, **state}
