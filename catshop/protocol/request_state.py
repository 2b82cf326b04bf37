"""What a server gives a client to bring back with its answers: `requestState`, sealed and opened.

A handler writes plain text and reads plain text. In between it is in the hands of somebody who may
change it, keep it, or use it elsewhere; so it is signed, for one principal, one method and one set
of arguments, for a while, and where the server says so it is good once. It can be read on the way:
nothing secret belongs in it. Knows no transport. Next: `dispatcher.py`, `catshop/signing.py`.
MCP 2026-07-28 basic/patterns/mrtr §server-requirements-basic-workflow.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from mcp.server.context import HandlerResult
from mcp_types import ClientCapabilities, InputRequiredResult
from mcp_types.methods import INPUT_REQUIRED_METHODS

from catshop.kernel import Clock, Principal, Secret, utc_now
from catshop.limits import SessionLimits
from catshop.protocol import capabilities, jsonrpc
from catshop.protocol.jsonrpc import INVALID_PARAMS, Params, RpcError
from catshop.protocol.ports import UsedStates
from catshop.protocol.versions import STATELESS
from catshop.signing import Signer

MEMBER: Final = "requestState"
PURPOSE: Final = "catshop.request_state"


def _new_id() -> str:
    return secrets.token_urlsafe(12)


@dataclass(frozen=True, slots=True)
class SingleUse:
    """Which calls take a state at most once, by method and name, and who remembers."""

    calls: frozenset[tuple[str, str]]
    used: UsedStates
    clock: Clock = utc_now


@dataclass(frozen=True, slots=True)
class RequestStates:
    """Seals the states that leave and opens those that come back."""

    signer: Signer
    seconds: int
    new_id: Callable[[], str] = _new_id
    single_use: SingleUse | None = None

    @classmethod
    def of_this_process(cls) -> RequestStates:
        """States that nobody else can open, nor this process once it is started again."""
        return cls(Signer(Secret(secrets.token_urlsafe(32))), SessionLimits().state_seconds)

    async def opened(
        self, request: jsonrpc.Request, version: str, caller: Principal | None
    ) -> jsonrpc.Request:
        """A request that brings a state, as its handler reads it. RpcError -32602 if it is not its.

        Where there can be no state of ours, the member means nothing, and is left out.
        """
        params = request.params or {}
        rest = {name: value for name, value in params.items() if name != MEMBER}
        if version not in STATELESS or request.method not in INPUT_REQUIRED_METHODS:
            return replace(request, params=rest)
        state = await self._open(params[MEMBER], request.method, params, caller)
        return replace(request, params={**rest, MEMBER: state})

    def sealed(
        self,
        result: InputRequiredResult | dict[str, Any],
        request: jsonrpc.Request,
        caller: Principal | None,
    ) -> HandlerResult:
        """The result as its client gets it."""
        state = _members(result).get(MEMBER)
        if state is None:
            return result
        text = json.dumps([self.new_id(), state])
        token = self.signer.sign(text, *_purpose(request.method, request.params, caller))
        if isinstance(result, InputRequiredResult):
            return result.model_copy(update={"request_state": token})
        return {**result, MEMBER: token}

    async def _open(
        self, token: object, method: str, params: Params, caller: Principal | None
    ) -> str:
        """The plain text of a state; one refusal for whatever is wrong with it."""
        if isinstance(token, str):
            text = self.signer.read(token, self.seconds, *_purpose(method, params, caller))
            if text is not None:
                id_, state = json.loads(text)
                if await self._is_first_use(id_, method, params):
                    return str(state)
        raise RpcError(INVALID_PARAMS, "E-STATE-01")

    async def _is_first_use(self, id_: str, method: str, params: Params) -> bool:
        once = self.single_use
        if once is None or (method, _target(params)) not in once.calls:
            return True
        return await once.used.use(id_, once.clock() + timedelta(seconds=self.seconds))


def check_input_requests(
    result: InputRequiredResult | dict[str, Any], declared: ClientCapabilities | None
) -> None:
    """A client is asked only for what it declared. RpcError -32021 otherwise. §rule 7."""
    for asked in (_members(result).get("inputRequests") or {}).values():
        needed = capabilities.needed_for(asked["method"], asked.get("params") or {})
        capabilities.require(declared, needed)


def _members(result: InputRequiredResult | dict[str, Any]) -> Mapping[str, Any]:
    """The result as it goes over the wire."""
    if isinstance(result, InputRequiredResult):
        return result.model_dump(by_alias=True, exclude_none=True)
    return result


def _target(params: Params) -> str:
    """What the call is about: a tool, a prompt, a resource."""
    return str(params.get("name", params.get("uri", "")))


def _purpose(method: str, params: Params | None, caller: Principal | None) -> tuple[str, ...]:
    """What a state is bound to: who calls, and the call without its answers."""
    known = params or {}
    owner: tuple[str | None, ...] = caller.key if caller else ()
    arguments = known.get("arguments")
    bound = [owner, method, _target(known), arguments if isinstance(arguments, Mapping) else {}]
    return (PURPOSE, json.dumps(bound, sort_keys=True))
