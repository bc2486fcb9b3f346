"""The nightly job: `python -m shop.cleanup [--days DAYS]` closes old orders and prints how many."""

import argparse
from datetime import UTC, datetime, timedelta

from shop.logs import log
from shop.orders import Orders


def main() -> None:
    """Closes the orders that were placed more than so many days ago."""
    parser = argparse.ArgumentParser(prog="python -m shop.cleanup")
    parser.add_argument("--days", type=int, default=30, help="(default: %(default)s)")
    arguments = parser.parse_args()
    closed = Orders().close(datetime.now(UTC) - timedelta(days=arguments.days))
    log("cleaned up", closed=closed, older_than_days=arguments.days)


if __name__ == "__main__":
    main()
