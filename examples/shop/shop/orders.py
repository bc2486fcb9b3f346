"""Orders: what they say, and what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

from shop.catalogue import PRODUCTS
from shop.prices import Price

MOST: Final = 100
"""How many pieces of a product one order may have."""

State = Literal["new", "confirmed", "closed"]
"""The web service stores an order as new, the worker confirms it, and the nightly job closes it."""


class InvalidOrderError(Exception):
    """The fields of an order are wrong; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Order:
    """An order; `price` is that of one piece, from the confirmation on."""

    product: str
    quantity: int
    id: UUID = field(default_factory=uuid4)
    placed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: State = "new"
    price: Price | None = None

    def receipt(self) -> dict[str, Any]:
        """Returns what is known when the order is placed, and never changes."""
        return {
            "id": str(self.id),
            "product": self.product,
            "quantity": self.quantity,
            "placed_at": self.placed_at.astimezone(UTC).isoformat(timespec="seconds"),
        }

    def document(self) -> dict[str, Any]:
        """Returns the order as the API answers it."""
        price = self.price and {"cents": self.price.cents, "currency": self.price.currency}
        return self.receipt() | {"state": self.state, "price": price}


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
    return Order(product, quantity)
