"""The log: one JSON object per line, which CloudWatch Logs Insights can query by field."""

import json
import logging
import sys
from datetime import UTC, datetime


def log(message: str, **fields: object) -> None:
    """Writes one line to stdout at once."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "message": message, **fields}
    print(json.dumps(line), file=sys.stdout, flush=True)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log(record.getMessage(), level=record.levelname.lower(), logger=record.name)


def log_libraries() -> None:
    """Sends warnings of the libraries to the same log."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()])
