"""What the store does when two look at once."""

import asyncio
from dataclasses import replace

from psycopg import AsyncConnection

from conftest import Place
from shop import store
from shop.configuration import read_database
from shop.orders import new_order
from shop.prices import Price


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


async def _confirmed_twice(place: Place) -> None:
    order = new_order({"product": "oak-pencil", "quantity": 1})
    async with await AsyncConnection.connect(**read_database(place.variables).parameters()) as connection:
        await store.add(connection, order)
        prices = Price(205, "EUR"), Price(1, "USD")
        assert [await store.confirm(connection, order.id, price) for price in prices] == [True, False]
        assert await store.find(connection, order.id) == replace(order, state="confirmed", price=prices[0])


def test_of_two_workers_that_confirm_an_order_the_first_does(place: Place) -> None:
    asyncio.run(_confirmed_twice(place))
