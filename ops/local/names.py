"""What the programs of an environment on this machine are called, and their files and containers."""

import hashlib

from ops.core.checkout import Checkout
from stacks.naming import image_name
from stacks.settings import Environment


def app_name(environment: Environment, service: str, container: str | None = None) -> str:
    """Returns the name of the process of a service's own container, or of another one in its task."""
    return f"app-{environment.name}-{image_name(service, container or service)}"


def container_name(checkout: Checkout, name: str) -> str:
    """Returns the name of a process's container, unique to this checkout on this machine."""
    return f"oaktree-{hashlib.sha256(str(checkout.directory).encode()).hexdigest()[:8]}-{name}"
