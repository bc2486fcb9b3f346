"""Orders and where they are kept: for now the memory of a process, in this module only."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from shop.catalogue import PRODUCTS

SCHEMA_VERSION: Final = 1
"""The version of what is kept of an order; `shop.migrate` brings the store to it."""

MOST: Final = 100
"""How many pieces of a product one order may have."""


class InvalidOrderError(Exception):
    """The fields of an order are wrong; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Order:
    """An order, `open` until the nightly job closes it."""

    id: str
    product: str
    quantity: int
    placed_at: datetime
    open: bool = True

    def document(self) -> dict[str, Any]:
        """Returns the order as the API answers it."""
        return asdict(self) | {"placed_at": self.placed_at.isoformat(timespec="seconds")}


def new_order(fields: object) -> Order:
    """Returns an order of what a client has sent; raises InvalidOrderError with all that is wrong."""
    if not isinstance(fields, Mapping):
        raise InvalidOrderError(["an order is an object with product and quantity"])
    problems = [f"{name}: unknown field" for name in sorted(fields.keys() - {"product", "quantity"})]
    product, quantity = fields.get("product", ""), fields.get("quantity", 0)
    if not isinstance(product, str) or product not in PRODUCTS:
        problems.append(f"product: must be one of {', '.join(PRODUCTS)}")
    # bool is a subclass of int.
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= MOST:
        problems.append(f"quantity: must be a whole number from 1 to {MOST}")
    if problems:
        raise InvalidOrderError(problems)
    return Order(uuid4().hex, product, quantity, datetime.now(UTC))


class Orders:
    """The orders that this process has taken."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}

    def add(self, order: Order) -> None:
        """Keeps an order."""
        self._orders[order.id] = order

    def find(self, order_id: str) -> Order | None:
        """Returns the order with this id, if there is one."""
        return self._orders.get(order_id)

    def close(self, placed_before: datetime) -> int:
        """Closes the open orders that were placed before a time; returns how many."""
        old = [each for each in self._orders.values() if each.open and each.placed_at < placed_before]
        for order in old:
            self.add(replace(order, open=False))
        return len(old)
