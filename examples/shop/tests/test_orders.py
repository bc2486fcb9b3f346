"""What an order may say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalogue import PRODUCTS
from shop.orders import MOST, InvalidOrderError, new_order

SCALARS = st.none() | st.booleans() | st.integers(max_value=0) | st.floats() | st.text()
JSON = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(), SCALARS, max_size=2)


@given(st.sampled_from(sorted(PRODUCTS)), st.integers(1, MOST))
def test_a_known_product_in_an_allowed_quantity_is_an_open_order(product: str, quantity: int) -> None:
    order = new_order({"product": product, "quantity": quantity})
    assert (order.product, order.quantity, order.state) == (product, quantity, "new")


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
