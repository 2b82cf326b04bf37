"""The suite's client legs: which scenarios our client plays, and which wait for it to sign in.

Here the suite is the server: it starts our client, once for each scenario, and writes down what
arrives. The lists are ours and explicit, so that a scenario that nobody plays is seen to be missing
and not merely absent. Next: `client_under_test.py`, the client; `run.py`, which judges.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parent.parent

HANDSHAKE: Final = (
    "initialize",
    "tools_call",
    "elicitation-sep1034-client-defaults",
    "sse-retry",
    "json-schema-2020-12-preservation",
)
"""Those of 2025-11-25."""

STATELESS: Final = (
    "tools_call",
    "request-metadata",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "json-schema-ref-no-deref",
    "json-schema-2020-12-preservation",
    "sep-2322-client-request-state",
    "sep-2640-client-no-prefetch",
    "sep-2640-client-verify-digest",
    "sep-2640-client-verify-size",
    "sep-2640-client-verify-frontmatter",
)
"""Those of 2026-07-28, and of the skills extension."""

SIGNED_IN: Final = (
    "auth/metadata-default",
    "auth/metadata-var1",
    "auth/metadata-var2",
    "auth/metadata-var3",
    "auth/basic-cimd",
    "auth/scope-from-www-authenticate",
    "auth/scope-from-scopes-supported",
    "auth/scope-omitted-when-undefined",
    "auth/scope-step-up",
    "auth/scope-retry-limit",
    "auth/token-endpoint-auth-basic",
    "auth/token-endpoint-auth-post",
    "auth/token-endpoint-auth-none",
    "auth/pre-registration",
    "auth/2025-03-26-oauth-metadata-backcompat",
    "auth/2025-03-26-oauth-endpoint-fallback",
    "auth/resource-mismatch",
    "auth/offline-access-scope",
    "auth/offline-access-not-supported",
    "auth/authorization-server-migration",
    "auth/iss-supported",
    "auth/iss-not-advertised",
    "auth/iss-supported-missing",
    "auth/iss-wrong-issuer",
    "auth/iss-unexpected",
    "auth/iss-normalized",
    "auth/metadata-issuer-mismatch",
    "auth/client-credentials-jwt",
    "auth/client-credentials-basic",
    "auth/enterprise-managed-authorization",
    "auth/dpop",
    "auth/dpop-nonce",
    "auth/wif-jwt-bearer",
)
"""Those that ask for a client which can sign in: not played yet."""


def run(runs: tuple[tuple[str, ...], ...], command: list[str], seconds: int, log: IO[str]) -> None:
    """Let the suite start our client in each run; `command` is the suite, all but what to play."""
    client = f"{sys.executable} -m conformance.client_under_test"
    for arguments in runs:
        subprocess.run(
            [*command, "--command", client, "--timeout", str(seconds * 500), *arguments],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
