"""What an order may say, and what becomes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalogue import PRODUCTS
from shop.orders import MOST, InvalidOrderError, Orders, new_order

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
SCALARS = st.none() | st.booleans() | st.integers(max_value=0) | st.floats() | st.text()
JSON = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(), SCALARS, max_size=2)


@given(st.sampled_from(sorted(PRODUCTS)), st.integers(1, MOST))
def test_a_known_product_in_an_allowed_quantity_is_an_open_order(product: str, quantity: int) -> None:
    order = new_order({"product": product, "quantity": quantity})
    assert (order.product, order.quantity, order.open) == (product, quantity, True)


@given(JSON | st.fixed_dictionaries({"product": JSON, "quantity": JSON}))
def test_whatever_else_is_sent_is_refused_with_a_reason(fields: Any) -> None:
    with pytest.raises(InvalidOrderError) as refused:
        new_order(fields)
    assert all(refused.value.problems)


def test_every_problem_is_named() -> None:
    with pytest.raises(InvalidOrderError) as refused:
        new_order({"product": "oak", "quantity": True, "price": 1})
    assert refused.value.problems == [
        "price: unknown field",
        "product: must be one of acorn-mug, leaf-notebook, oak-pencil",
        "quantity: must be a whole number from 1 to 100",
    ]


def test_only_open_orders_that_are_old_are_closed_and_only_once() -> None:
    orders = Orders()
    old = replace(new_order({"product": "oak-pencil", "quantity": 1}), placed_at=NOW - timedelta(days=31))
    recent = replace(new_order({"product": "oak-pencil", "quantity": 1}), placed_at=NOW)
    orders.add(old)
    orders.add(recent)
    assert [orders.close(NOW - timedelta(days=30)) for _ in range(2)] == [1, 0]
    assert orders.find(old.id) == replace(old, open=False)
    assert orders.find(recent.id) == recent
