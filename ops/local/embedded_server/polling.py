"""How long a ReceiveMessage waits for messages, without holding up the requests of others.

Source: Amazon SQS Developer Guide, "Amazon SQS short and long polling".
"""

import select
import socket
from collections.abc import Mapping
from typing import Any, Final

from ops.local.embedded_server.authorization.inventory import find_queue
from ops.local.embedded_server.authorization.requests import read_request

ACTION: Final = "ReceiveMessage"
INTERVAL: Final = 0.25
"""Seconds between two looks into a queue."""
_LONGEST: Final = 20
_MESSAGE: Final = b"ReceiptHandle"


def seconds_to_wait(environ: Mapping[str, Any], body: bytes) -> int:
    """Returns for how many seconds a ReceiveMessage may wait."""
    try:
        request = read_request(environ, body)
        if request is None or request.service != "sqs":
            return 0
        asked = request.arguments.get("WaitTimeSeconds")
        seconds = int(_of_queue(request.region, request.arguments["QueueUrl"]) if asked is None else asked)
    except (KeyError, TypeError, ValueError):
        return 0
    # moto refuses what is out of range.
    return seconds if 0 <= seconds <= _LONGEST else 0


def found_nothing(status: str, content: bytes) -> bool:
    """Whether the answer to a ReceiveMessage has no message, so that asking has changed nothing."""
    return status.startswith("200") and _MESSAGE not in content


def is_gone(environ: Mapping[str, Any]) -> bool:
    """Whether nobody waits for the answer any more, so that a message received then would reach nobody."""
    connection = environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket):
        return False
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


def _of_queue(region: str, url: str) -> int:
    *_, account_id, name = url.split("/")
    queue = find_queue(f"arn:aws:sqs:{region}:{account_id}:{name}")
    return int(vars(queue)["receive_message_wait_time_seconds"]) if queue else 0
