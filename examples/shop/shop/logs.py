"""The log: one JSON object per line, which CloudWatch Logs Insights can query by field."""

import json
import sys
from datetime import UTC, datetime


def log(message: str, **fields: object) -> None:
    """Writes one line to stdout at once."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "message": message, **fields}
    print(json.dumps(line), file=sys.stdout, flush=True)
