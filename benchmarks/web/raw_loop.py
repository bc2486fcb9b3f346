"""Reads one item again and again: `python -m benchmarks.web.raw_loop SECONDS CONCURRENCY PK SK`.

Prints how many reads a second aiobotocore does with nothing around it, with the app's client
configuration and on the app's event loop.
"""

import asyncio
import os
import sys
import time

import uvloop
from aiobotocore.session import get_session

from webapp.aws import CONNECTIONS_FOR_REQUESTS, configuration


async def measure(seconds: float, concurrency: int, pk: str, sk: str) -> float:
    """Reads a second."""
    async with get_session().create_client(
        "dynamodb", region_name=os.environ["AWS_REGION"], config=configuration(CONNECTIONS_FOR_REQUESTS)
    ) as client:

        async def read(until: float) -> int:
            count = 0
            while time.perf_counter() < until:
                await client.get_item(
                    TableName=os.environ["TABLE"],
                    Key={"pk": {"S": pk}, "sk": {"S": sk}},
                    ConsistentRead=True,
                )
                count += 1
            return count

        await read(time.perf_counter() + 0.5)
        started = time.perf_counter()
        counts = await asyncio.gather(*(read(started + seconds) for _ in range(concurrency)))
        return sum(counts) / (time.perf_counter() - started)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(measure(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])))
