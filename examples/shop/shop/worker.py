"""The worker: `python -m shop.worker [--heartbeat FILE]`.

Takes messages from the queue of orders, and confirms each order at the price of its product. A message is
deleted once its order is confirmed. One that fails stays in the queue: SQS gives it out again after the
visibility timeout, and moves it to the dead-letter queue after the last attempt. Exit status: 0 after
SIGTERM, once the messages in hand are done; 2 for invalid arguments or variables.
"""

import argparse
import asyncio
import json
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from shop import store
from shop.aws import AWS_ERRORS, LONGEST_POLL, sqs_client
from shop.configuration import WorkerSettings, read_worker, settings_or_exit
from shop.database import Database
from shop.logs import log, log_libraries
from shop.prices import Prices

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

AT_ONCE = 10
"""Messages that are received and handled together: the most that SQS gives (ReceiveMessage)."""


class MessageError(Exception):
    """A message that is no order, so that no attempt will go well."""


@dataclass(frozen=True)
class Worker:
    """Handles messages; any number of workers may share a queue."""

    database: Database
    prices: Prices
    sqs: "SQSClient"
    queue_url: str
    longest: float = 20
    """Seconds that a message may take: less than the 30 that ECS waits after the stop signal."""

    async def run(self, stop: asyncio.Event, heartbeat: Path | None) -> None:
        """Handles messages until it is to stop, and touches the heartbeat after each round."""
        while not stop.is_set():
            await asyncio.gather(*map(self.handle, await self._receive(stop)))
            if heartbeat:
                heartbeat.touch()  # noqa: ASYNC240 - on a disk of the task, at once

    async def handle(self, message: "MessageTypeDef") -> None:
        """Confirms the order of a message and deletes the message, or leaves it in the queue and says why."""
        try:
            async with asyncio.timeout(self.longest):
                await self.confirm(order_of(message.get("Body", "")))
                await self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the queue has the message still
            reason = f"{type(error).__name__}: {error}"
            attempt = message.get("Attributes", {}).get("ApproximateReceiveCount")
            log("message failed", id=message.get("MessageId"), attempt=attempt, reason=reason)

    async def confirm(self, order_id: UUID) -> None:
        """Confirms an order if it is new. SQS may deliver a message twice; the second changes nothing."""
        async with self.database.connection() as connection:
            order = await store.find(connection, order_id)
        if order is None:
            raise MessageError(f"there is no order {order_id}")
        # No transaction is open while the prices service is asked.
        price = await self.prices.price(order.product) if order.state == "new" else None
        confirmed = False
        if price:
            async with self.database.connection() as connection:
                confirmed = await store.confirm(connection, order_id, price)
        if confirmed:
            log("order confirmed", order=str(order_id), price=str(price))
        else:
            log("order was confirmed or closed before", order=str(order_id))

    async def _receive(self, stop: asyncio.Event) -> "list[MessageTypeDef]":
        """Returns messages once there are some; none after `LONGEST_POLL`, an error, or SIGTERM."""
        receiving = asyncio.ensure_future(
            self.sqs.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=AT_ONCE,
                WaitTimeSeconds=LONGEST_POLL,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((receiving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not receiving.done():
            # A message that is on its way becomes visible again after the visibility timeout.
            receiving.cancel()
            return []
        try:
            return (await receiving).get("Messages", [])
        except AWS_ERRORS as error:
            log("no messages", reason=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 5)
            return []


def order_of(body: str) -> UUID:
    """Returns the order that the body of a message names; raises MessageError."""
    try:
        match json.loads(body):
            case {"order": str(order_id)}:
                return UUID(order_id)
    except (ValueError, RecursionError):
        pass
    raise MessageError('the body is not {"order": "<id>"}')


async def work(settings: WorkerSettings, heartbeat: Path | None) -> None:
    """Handles messages until SIGTERM."""
    stop = asyncio.Event()

    def begin_to_stop() -> None:
        log("stopping")
        stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, begin_to_stop)
    async with sqs_client(LONGEST_POLL) as sqs, Database(settings.database) as database:
        prices = Prices(settings.prices_url)
        log("started")
        await Worker(database, prices, sqs, settings.queue_url).run(stop, heartbeat)
        await prices.close()
    log("stopped")


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(prog="python -m shop.worker")
    parser.add_argument("--heartbeat", type=Path, help="a file to touch after each round")
    arguments = parser.parse_args()
    settings = settings_or_exit(read_worker)
    log_libraries()
    asyncio.run(work(settings, arguments.heartbeat))


if __name__ == "__main__":
    main()
