"""The worker: `python -m shop.worker [--every SECONDS] [--heartbeat FILE]`.

Watches the prices and logs each change. Ends with status 0 after SIGTERM, once the round it is in is done.
"""

import argparse
import asyncio
import signal
from pathlib import Path

from shop.catalogue import PRODUCTS
from shop.configuration import configuration_or_exit
from shop.logs import log
from shop.prices import Price, Prices, PricesError


async def work(address: str, every: float, heartbeat: Path | None) -> None:
    """Does a round every so many seconds until SIGTERM, and touches the heartbeat after each."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    prices = Prices(address)
    known: dict[str, Price] = {}
    log("started", every=every)
    while not stop.is_set():
        await look(prices, known)
        if heartbeat:
            heartbeat.touch()  # noqa: ASYNC240 - on a disk of the task, at once
        try:
            await asyncio.wait_for(stop.wait(), every)
        except TimeoutError:
            continue
    await prices.close()
    log("stopped")


async def look(prices: Prices, known: dict[str, Price]) -> None:
    """Asks for all prices, logs those that differ from the known ones, and keeps them."""
    for product, price in (await prices.all(PRODUCTS)).items():
        if isinstance(price, PricesError):
            log("price missing", product=product, reason=str(price))
        elif known.get(product) != price:
            before = known.get(product)
            log("price changed", product=product, before=before and str(before), now=str(price))
            known[product] = price


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(prog="python -m shop.worker")
    parser.add_argument("--every", type=float, default=5, help="seconds (default: %(default)s)")
    parser.add_argument("--heartbeat", type=Path, help="a file to touch after each round")
    arguments = parser.parse_args()
    asyncio.run(work(configuration_or_exit().prices_url, arguments.every, arguments.heartbeat))


if __name__ == "__main__":
    main()
