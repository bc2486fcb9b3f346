"""What runs before each deployment: `python -m shop.migrate`.

Checks the configuration of the new release, and brings the store to its schema. The store is memory for
now, so that there is nothing to change. It may run any number of times. Exit status: 2 for an invalid
configuration, which stops the deployment.
"""

from shop.configuration import configuration_or_exit
from shop.logs import log
from shop.orders import SCHEMA_VERSION


def main() -> None:
    """Checks, migrates, and prints the version of the schema."""
    configuration_or_exit()
    log("migrated", schema=SCHEMA_VERSION)


if __name__ == "__main__":
    main()
