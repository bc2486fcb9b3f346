"""Imported by the process that forks apps: reads botocore's data, which every client needs, once for all."""

import asyncio
import gc

from tests.commands import keep_botocore_data
from tests.webapp.environment import REGION
from webapp.aws import open_clients


async def _open_and_close() -> None:
    async with open_clients(REGION, REGION):
        pass


keep_botocore_data()
asyncio.run(_open_and_close())
gc.freeze()
