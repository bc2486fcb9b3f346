"""What the store does when two look at once."""

import asyncio

from psycopg import AsyncConnection

from conftest import Place
from shop import store
from shop.configuration import read_database
from shop.orders import new_order


async def _both(place: Place) -> None:
    parameters = read_database(place.variables).parameters()
    older, newer = (new_order({"product": "oak-pencil", "quantity": n}) for n in (1, 2))
    async with await AsyncConnection.connect(**parameters) as one:
        for order in (newer, older):
            await store.add(one, order)
        await one.commit()
        async with await AsyncConnection.connect(**parameters) as another:
            assert await store.lock_undelivered(one) == older
            assert await store.lock_undelivered(another) == newer
            await store.mark_delivered(another, newer.id)
            await another.commit()
            assert await store.lock_undelivered(another) is None
            await one.rollback()
            assert await store.lock_undelivered(another) == older


def test_two_tasks_deliver_different_orders_and_an_order_that_one_gives_up_is_free(place: Place) -> None:
    asyncio.run(_both(place))
