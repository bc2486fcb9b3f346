"""What moto looks up for each request, and finds the same each time: half of the time a request takes."""

from functools import cache

from moto.core import responses, utils
from moto.core.loaders import create_loader
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

_find_backend = DomainDispatcherApplication.get_backend_for_host


def look_up_once() -> None:
    """Mend moto's lookups; call it after the mends that add actions, and before the server answers."""
    # Which service a host belongs to: moto reads the directories of all services to tell.
    setattr(DomainDispatcherApplication, _find_backend.__name__, cache(_find_backend))
    # Which actions a service has.
    setattr(responses, utils.method_names_from_class.__name__, cache(utils.method_names_from_class))
    # Which models botocore has: a new loader lists them all.
    setattr(utils, create_loader.__name__, cache(create_loader))
