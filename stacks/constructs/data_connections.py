"""What the services of an environment use of its data stack: what only AWS knows of stores."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from stacks import kinds
from stacks.bindings import TerraformLocal
from stacks.constructs.connections import Connections
from stacks.constructs.platform_stack import PlatformStack
from stacks.settings import Environment
from stacks.workloads import Workload


class DataConnections:
    """Addresses, groups and secrets' ARNs of the stores that some services use, by key, if they use any."""

    def __init__(self, scope: PlatformStack, environment: Environment, services: Iterable[Workload]) -> None:
        keys = sorted({key for each in services for used in each.connections for key in used.stored})
        self.values: Mapping[str, str] = MappingProxyType({})
        if keys:
            read = Connections(scope, kinds.DATA.name_in(environment.name), keys).values
            # Locals, since JSON text with the quotes of an expression is no JSON to whoever reads the stack.
            self.values = {key: TerraformLocal(scope, key, value).as_string for key, value in read.items()}
