"""What differs from one run to the next, made the same, and nothing else."""

from __future__ import annotations

import secrets

from catshop.inspector.recording import Ended, Exchange, Recording, Request, Sql
from catshop.inspector.redact import MARK
from catshop.inspector.still import BEGAN, Still, still


def test_what_is_the_same_stays_the_same_and_what_differs_stays_apart() -> None:
    calm = Still()
    first, second, third = calm("‹0a0b0c› ‹1d1e1f› ‹0a0b0c›").split()
    assert first == third != second
    assert MARK.fullmatch(first)
    assert calm("at 127.0.0.1:4711 and localhost:4712") == "at 127.0.0.1:8000 and localhost:8001"
    assert calm("redirect_uri=http%3A%2F%2F127.0.0.1%3A4712%2Fa").endswith("%3A8001%2Fa")


def test_two_runs_are_one_text() -> None:
    """Ids, challenges, orders and times, each as long as before."""

    def run() -> str:
        order, id_, challenge = (secrets.token_hex(8), secrets.token_hex(8).upper(), "")
        challenge = secrets.token_urlsafe(32)
        client = f"cat_{secrets.token_urlsafe(16)[:22]}"
        return f"{order} {id_} {challenge} {client} {order} 2026-12-01T01:02:03.000+00:00"

    one, two = run(), run()
    assert Still()(one) == Still()(two) != one
    assert [len(word) for word in Still()(one).split()[:5]] == [len(w) for w in one.split()[:5]]
    assert BEGAN in Still()(one)


def test_names_of_the_field_are_left_alone() -> None:
    words = "io.modelcontextprotocol/protocolVersion token_endpoint_auth_methods_supported S256"
    assert Still()(words) == words


def test_everything_happens_at_an_even_pace() -> None:
    lines = [Request(at=3.7, n=1), Sql(at=3.9, n=1, ms=17.2), Ended(at=9.0, n=1, ms=5300.0)]
    made = still(Recording(exchanges={1: Exchange(1, 1, [*lines])})).exchanges[1]
    assert [line.at for line in made.lines] == [0.0, 0.001, 0.002]
    assert made.every(Ended)[0].ms == 2.0
