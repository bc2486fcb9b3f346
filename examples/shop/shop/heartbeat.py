"""The worker's health check: `python -m shop.heartbeat FILE [--within SECONDS]`.

Exit status 0 if the worker has touched its heartbeat that recently, else 1.
"""

import argparse
import sys
import time
from pathlib import Path


def main() -> None:
    """Looks at the file."""
    parser = argparse.ArgumentParser(prog="python -m shop.heartbeat")
    parser.add_argument("file", type=Path)
    parser.add_argument("--within", type=float, default=90, help="seconds (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        age = time.time() - arguments.file.stat().st_mtime
    except OSError as error:
        sys.exit(f"no heartbeat yet: {error}")
    if age > arguments.within:
        sys.exit(f"the last heartbeat is {age:.0f} s old")


if __name__ == "__main__":
    main()
