"""Orders in PostgreSQL: beside the migrations, the only module that knows the table."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shop.database import Connection
from shop.orders import Order
from shop.prices import Price

SELECT: Final = "SELECT product, quantity, id, placed_at, state, cents, currency FROM orders "


async def add(connection: Connection, order: Order) -> None:
    """Stores a new order."""
    await connection.execute(
        "INSERT INTO orders (id, product, quantity, placed_at) VALUES (%s, %s, %s, %s)",
        [order.id, order.product, order.quantity, order.placed_at],
    )


async def find(connection: Connection, order_id: UUID) -> Order | None:
    """Returns the order with this id, if there is one."""
    row = await (await connection.execute(SELECT + "WHERE id = %s", [order_id])).fetchone()
    return row and _order(row)


async def recent(connection: Connection, limit: int) -> list[Order]:
    """Returns the latest orders, the newest first."""
    rows = await connection.execute(SELECT + "ORDER BY placed_at DESC LIMIT %s", [limit])
    return [_order(row) async for row in rows]


async def lock_undelivered(connection: Connection) -> Order | None:
    """Returns the oldest order to deliver that nobody has locked, and locks it for this transaction."""
    rows = await connection.execute(
        SELECT + "WHERE delivered_at IS NULL AND state = 'new'"
        " ORDER BY placed_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    row = await rows.fetchone()
    return row and _order(row)


async def mark_delivered(connection: Connection, order_id: UUID) -> None:
    """Takes an order out of the outbox."""
    await connection.execute("UPDATE orders SET delivered_at = now() WHERE id = %s", [order_id])


async def confirm(connection: Connection, order_id: UUID, price: Price) -> bool:
    """Confirms a new order at a price for one piece; returns False, and changes nothing, if it is not new."""
    done = await connection.execute(
        "UPDATE orders SET state = 'confirmed', cents = %s, currency = %s WHERE id = %s AND state = 'new'",
        [price.cents, price.currency, order_id],
    )
    return done.rowcount == 1


async def close(connection: Connection, placed_before: datetime) -> int:
    """Closes the orders that were placed before a time; returns how many."""
    done = await connection.execute(
        "UPDATE orders SET state = 'closed' WHERE state <> 'closed' AND placed_at < %s", [placed_before]
    )
    return done.rowcount


def _order(row: tuple[Any, ...]) -> Order:
    product, quantity, order_id, placed_at, state, cents, currency = row
    price = None if cents is None else Price(cents, currency)
    return Order(product, quantity, order_id, placed_at, state, price)
