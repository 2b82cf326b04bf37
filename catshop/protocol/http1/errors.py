"""A refusal in HTTP: a status, a code of the catalogue, and what arrived.

Logic raises `HttpError`; the one door out (`render` in `door.py`) turns it into an answer. The
words come from the catalogue, so that the log line and the body teach the same thing. RFC 9110 §15.
"""

from __future__ import annotations

from catshop.catalogue import Explanation, explain


class HttpError(Exception):
    """The request is refused with `status`.

    `code` is the catalogue's, `arrived` what came, already free of secrets and safe to show;
    `fields` go into the answer's head; `close` ends the connection after it, as every refusal of
    the framing must (RFC 9112 §11.2).
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        arrived: str = "",
        fields: tuple[tuple[str, str], ...] = (),
        close: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}" + (f" ({arrived})" if arrived else ""))
        self.status = status
        self.code = code
        self.arrived = arrived
        self.fields = fields
        self.close = close

    @property
    def explanation(self) -> Explanation:
        """The catalogue's words for this refusal."""
        return explain(self.code)
