"""Clients of AWS. botocore reads credentials and, at a desk, AWS_ENDPOINT_URL from the environment."""

import os
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient

AWS_ERRORS: Final = (BotoCoreError, ClientError)
"""What a call of AWS raises when it does not get what it asks for."""

LONGEST_POLL: Final = 20
"""Seconds that SQS lets a receiver wait for messages (ReceiveMessage, WaitTimeSeconds)."""


def s3_client() -> "AbstractAsyncContextManager[S3Client]":
    """Returns a client whose calls take 10 seconds at most."""
    return get_session().create_client("s3", region_name=_region(), config=_config(3))


def sqs_client(poll: int = 0) -> "AbstractAsyncContextManager[SQSClient]":
    """Returns a client whose calls take 10 seconds at most, and twice `poll` more if SQS may wait so long."""
    return get_session().create_client("sqs", region_name=_region(), config=_config(poll + 3))


def _region() -> str | None:
    # botocore itself reads AWS_DEFAULT_REGION only.
    return os.environ.get("AWS_REGION")


def _config(read_timeout: int) -> AioConfig:
    retries = {"total_max_attempts": 2, "mode": "standard"}
    return AioConfig(connect_timeout=2, read_timeout=read_timeout, retries=retries)
