"""Imported by the process that forks apps: reads botocore's data, which every client needs, once for all."""

import asyncio
import gc

from tests.commands import keep_botocore_data
from tests.webapp.environment import environ_of
from webapp.aws import open_clients
from webapp.settings import read_settings


async def _open_and_close() -> None:
    async with open_clients(read_settings(environ_of("http://127.0.0.1:9"))):
        pass


keep_botocore_data()
asyncio.run(_open_and_close())
gc.freeze()
