"""RFC 9110 §11.6.1: what a server offers, read from WWW-Authenticate."""

from __future__ import annotations

import pytest

from catshop.client.oauth.challenges import Challenge, best, challenges

PRM = "https://shop.example/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer", [Challenge("bearer")]),
        ('Bearer scope="a b"', [Challenge("bearer", {"scope": "a b"})]),
        ("bearer SCOPE=a", [Challenge("bearer", {"scope": "a"})]),
        ('Bearer a="x, y=z", b=c', [Challenge("bearer", {"a": "x, y=z", "b": "c"})]),
        (r'Bearer a="say \"no\""', [Challenge("bearer", {"a": 'say "no"'})]),
        ("Bearer, DPoP", [Challenge("bearer"), Challenge("dpop")]),
        (
            'DPoP algs="ES256 EdDSA", error=x, Bearer scope=y',
            [
                Challenge("dpop", {"algs": "ES256 EdDSA", "error": "x"}),
                Challenge("bearer", {"scope": "y"}),
            ],
        ),
        (
            "Negotiate YII=, Bearer scope=y",
            [Challenge("negotiate"), Challenge("bearer", {"scope": "y"})],
        ),
        ("Bearer a = b , c=d", [Challenge("bearer", {"a": "b", "c": "d"})]),
        (", ,Bearer", [Challenge("bearer")]),
        ("Bearer a=1, a=2", [Challenge("bearer", {"a": "1"})]),
        ("", []),
        ('="', []),
    ],
)
def test_a_comma_parts_challenges_and_parameters_alike(
    value: str, expected: list[Challenge]
) -> None:
    """RFC 9110 §11.1, §11.2, §11.6.1; the first of two equal names counts."""
    assert list(challenges([value])) == expected


def test_several_fields_are_one_list() -> None:
    """RFC 9110 §5.3."""
    assert [c.scheme for c in challenges(["Basic realm=x", "Bearer"])] == ["basic", "bearer"]


def test_the_challenge_says_where_the_resource_tells_of_itself() -> None:
    """RFC 9728 §5.1."""
    found = best([f'Bearer resource_metadata="{PRM}", error="invalid_token", scope="a b"'])
    assert found is not None
    assert (found.resource_metadata, found.error, found.scopes) == (
        PRM,
        "invalid_token",
        ("a", "b"),
    )


def test_a_proof_of_possession_goes_before_a_bearer_token() -> None:
    """RFC 9449 §7.2: a resource that takes both is shown the safer one."""
    found = best(["Bearer scope=a", "DPoP scope=b"])
    assert found == Challenge("dpop", {"scope": "b"})


def test_what_one_challenge_leaves_out_the_other_says() -> None:
    """RFC 9449 §7.1: both are about one resource, which need not name its metadata twice."""
    found = best([f'Bearer resource_metadata="{PRM}", scope="a b"', 'DPoP algs="ES256"'])
    assert found is not None
    assert (found.scheme, found.resource_metadata, found.scopes) == ("dpop", PRM, ("a", "b"))


def test_a_scheme_that_no_token_answers_is_no_challenge_for_us() -> None:
    """RFC 9110 §11.6.1: a client picks a scheme that it knows."""
    assert best(["Basic realm=x", "Negotiate"]) is None


@pytest.mark.parametrize("value", ["Bearer " + 'a="' * 4000, "a " * 8000, "," * 9000, "a=" * 9000])
def test_a_hostile_header_is_read_in_no_time_and_no_further_than_its_bound(value: str) -> None:
    """RFC 9110 §17.5: lengths are limited by whoever reads."""
    assert len(challenges([value])) <= 8192
