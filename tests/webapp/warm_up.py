"""Imported by the process that forks apps: reads botocore's data, which every client needs, once for all."""

import asyncio
import functools
import gc

from botocore.loaders import JSONFileLoader

from tests.webapp.environment import REGION
from webapp.aws import open_clients


async def _open_and_close() -> None:
    async with open_clients(REGION, REGION):
        pass


JSONFileLoader.load_file = staticmethod(  # type: ignore[method-assign]
    functools.cache(JSONFileLoader().load_file)
)
asyncio.run(_open_and_close())
gc.freeze()
