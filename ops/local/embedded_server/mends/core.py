"""What moto looks up for each request, and finds the same each time: half of the time a request takes."""

from functools import cache

from moto.core import responses, utils
from moto.core.loaders import create_loader
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from ops.local.embedded_server.patching import patch


def mend() -> None:
    """Mends moto's lookups; to be called after the mends that add actions."""
    # Which service a host belongs to: moto reads the directories of all services to tell.
    patch(DomainDispatcherApplication, cache(DomainDispatcherApplication.get_backend_for_host))
    # Which actions a service has.
    patch(responses, cache(utils.method_names_from_class))
    # Which models botocore has: a new loader lists them all.
    patch(utils, cache(create_loader))
