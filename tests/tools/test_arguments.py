"""Bad arguments are tool errors that name the place and say why, in our own words."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import CallToolResult

from catshop.tools.arguments import Arguments
from catshop.tools.composition import tools
from catshop.tools.faults import ToolFault
from catshop.tools.registry import record

CallTool = Callable[..., Awaitable[CallToolResult]]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        pytest.param("get_product", {}, "/product_id: is missing", id="missing"),
        pytest.param(
            "add_to_cart",
            {"product_id": 1, "quantity": 100},
            "/quantity: 100 is greater than the maximum of 99",
            id="too-many",
        ),
        pytest.param(
            "add_to_cart",
            {"product_id": 1, "quantity": 0},
            "/quantity: 0 is less than the minimum of 1",
            id="none",
        ),
        pytest.param(
            "add_to_cart",
            {"product_id": 1, "quantity": -5},
            "/quantity: -5 is less than the minimum of 1",
            id="a-negative-quantity-lowers-no-total",
        ),
        pytest.param(
            "get_product",
            {"product_id": "one"},
            '/product_id: "one" is not of type "integer"',
            id="text",
        ),
        pytest.param(
            "get_product",
            {"product_id": True},
            '/product_id: true is not of type "integer"',
            id="a-boolean-is-no-integer",
        ),
        pytest.param(
            "get_product",
            {"product_id": 1.5},
            '/product_id: 1.5 is not of type "integer"',
            id="a-fraction-is-no-integer",
        ),
        pytest.param(
            "get_product",
            {"product_id": None},
            '/product_id: null is not of type "integer"',
            id="null",
        ),
        pytest.param(
            "get_product",
            {"product_id": 2**63},
            "/product_id: 9223372036854775808 is greater than the maximum of 9007199254740991",
            id="Q12-2-to-the-63",
        ),
        pytest.param(
            "get_product",
            {"product_id": 10**400},
            "/product_id: " + "1" + "0" * 39 + "... is greater than the maximum of"
            " 9007199254740991",
            id="a-long-number-is-cut",
        ),
        pytest.param(
            "list_products",
            {"kategory": "toys"},
            "/kategory: is not known here; did you mean category?",
            id="misspelt",
        ),
        pytest.param(
            "view_cart",
            {"a/b~c\u00e9": 1},
            r"/a~1b~0c\u00e9: is not known here",
            id="pointer-is-escaped",
        ),
        pytest.param(
            "search_products",
            {"query": ""},
            '/query: "" is shorter than the minimum of 1 characters',
            id="too-short",
        ),
        pytest.param(
            "search_products",
            {"query": "x" * 201},
            '/query: "' + "x" * 39 + "... is longer than the maximum of 200 characters",
            id="too-long",
        ),
        pytest.param(
            "update_cart_quantity",
            {"product_id": 0},
            "/product_id: 0 is less than the minimum of 1; /quantity: is missing",
            id="several",
        ),
    ],
)
async def test_what_does_not_fit_is_named_with_its_pointer(
    call: CallTool, name: str, arguments: dict[str, object], said: str
) -> None:
    """RFC 6901 §3, MCP 2026-07-28 server/tools §error-handling: a tool error, to be corrected."""
    result = await call(name, **arguments)
    assert result.is_error
    assert result.structured_content == {"error": said}
    assert result.meta == {"catshop/code": "E-ARGS-01"}


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "k\n", "\u00e9", "x" * 65, "\x7f"], ids=lambda key: ascii(key)[:12]
)
async def test_an_idempotency_key_is_1_to_64_visible_ascii_characters(
    call: CallTool, key: str
) -> None:
    """A trailing newline is not visible either, though `$` would let it pass."""
    assert (await call("checkout", idempotency_key=key)).meta == {"catshop/code": "E-ARGS-01"}


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        pytest.param({"query": "a\0b"}, "/query", id="Q12-NUL"),
        pytest.param({"query": "\ud83d"}, "/query", id="Q12-lone-surrogate"),
        pytest.param({"query": "a", "\0": 1}, r"/\u0000", id="in-a-name"),
        pytest.param({"query": ["a", {"b": "\0"}]}, "/query/1/b", id="deep-inside"),
    ],
)
async def test_a_text_that_no_store_may_hold_is_refused(
    call: CallTool, arguments: dict[str, object], where: str
) -> None:
    """RFC 8259 §8.2: such a text has no encoding that every reader understands."""
    result = await call("search_products", **arguments)
    assert result.structured_content == {
        "error": f"{where}: holds NUL or a lone surrogate, which no text may hold"
    }
    assert result.meta == {"catshop/code": "E-ARGS-02"}


@pytest.mark.parametrize("one", [1, 1.0])
async def test_a_whole_number_is_an_integer_however_it_is_written(
    call: CallTool, one: float
) -> None:
    """JSON Schema 2020-12 validation §6.1.1: 1.0 is an integer."""
    assert (await call("get_product", product_id=one)).structured_content["id"] == 1


def test_characters_outside_ascii_are_text() -> None:
    """Only what cannot be encoded is refused."""
    arguments = Arguments(record("x", x={"type": "string"}))
    assert arguments.read({"x": "Kätzchen 🐈"}) == {"x": "Kätzchen 🐈"}


def test_a_fault_without_words_of_its_own_names_the_keyword() -> None:
    """A learner's own schema may use any keyword."""
    arguments = Arguments(record("x", x={"multipleOf": 2}))
    with pytest.raises(ToolFault, match=r"/x: 3 does not fit the schema \(multipleOf\)"):
        arguments.read({"x": 3})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["product_id", "quantity", "x"]) | st.text(), JSON))
def test_whatever_comes_is_read_or_refused_with_words_of_ours(given: dict[str, object]) -> None:
    """The reader raises its own error or nothing, and a refusal can be sent."""
    try:
        read = tools()["add_to_cart"].arguments.read(given)
    except ToolFault as fault:
        fault.text.encode("ascii")
    else:
        assert type(read["product_id"]) is int
        assert 1 <= read.get("quantity", 1) <= 99


@pytest.mark.parametrize("tool", ["checkout", "search_products", "list_products"])
async def test_a_thousand_wrong_names_cost_no_more_than_a_few(call: CallTool, tool: str) -> None:
    """Q13: what cannot be said in a line or two is not looked for."""
    few, many = ({f"quer{n:05}": n for n in range(size)} for size in (50, 20_000))
    result = await call(tool, **many)
    assert result.is_error
    assert len(result.structured_content["error"]) < 2_000
    with mock.patch.object(difflib, "get_close_matches", wraps=difflib.get_close_matches) as asked:
        await call(tool, **few)
        least = asked.call_count
        await call(tool, **many)
    assert asked.call_count == 2 * least
