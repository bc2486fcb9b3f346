"""The fast loading of the bindings: the same output, a cache that cannot mislead, and a clear way out."""

import ast
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier

import pytest

from stacks import jsii_loading
from stacks.jsii_loading import FULL_BINDINGS, PROVIDER_ASSEMBLY, cached_assembly, trimmed_assembly
from stacks.problems import UnknownBindingsError
from tests.places import ENVIRONMENTS, ROOT

INSTALLED = Path(next(iter(sys.modules[jsii_loading.PROVIDER_PACKAGE].__path__)), "_jsii")

SYNTHESIZES_AND_IMPORTS_LATE = """
import sys
import main

outdir = sys.argv.pop()
sys.argv = ["main.py", "--environments", sys.argv.pop(), "--outdir", f"{outdir}/platform"]
if main.main():
    sys.exit("the platform was not synthesized")

from stacks.bindings import App, AwsProvider, TerraformStack, Vpc

app = App(outdir=f"{outdir}/late")
stack = TerraformStack(app, "late")
AwsProvider(stack, "aws", region="eu-central-1")
vpc = Vpc(stack, "before", cidr_block="10.0.0.0/16")

from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
queue = SqsQueue(stack, "queue", name=SqsQueue.TF_RESOURCE_TYPE)

from cdktf_cdktf_provider_aws.lambda_function import LambdaFunction, LambdaFunctionEnvironment
variables = LambdaFunctionEnvironment(variables={"QUEUE": queue.arn})
function = LambdaFunction(stack, "function", function_name="f", role="r", environment=variables)
function.environment.reset_variables()
function.put_environment(variables={"VPC": vpc.id})
Vpc(stack, "after", cidr_block="10.1.0.0/16")
app.synth()
"""


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def files_in(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def stamps_in(directory: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file that is no compiled module and not jsii's mark of last use."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != ".jsii-runtime-package-cache"
    }


@pytest.mark.e2e
def test_fast_and_full_loading_give_the_same_bytes_and_leave_what_is_installed_alone(tmp_path: Path) -> None:
    jsii_cache = tmp_path / "jsii"
    variables = {
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(jsii_cache),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    installed = stamps_in(INSTALLED)
    program = ("-c", SYNTHESIZES_AND_IMPORTS_LATE, str(ENVIRONMENTS))

    full = run(*program, str(tmp_path / "full"), **variables, **{FULL_BINDINGS: "1"})
    assert (full.returncode, full.stderr) == (0, "")
    assert not (tmp_path / "cache").exists()
    cached_by_jsii = stamps_in(jsii_cache)
    # `-O` takes jsii's checks of types out of the program, which changes nothing either.
    fast = run("-O", *program, str(tmp_path / "fast"), **variables)
    assert (fast.returncode, fast.stderr) == (0, "")

    by_stack = files_in(tmp_path / "full")
    assert {
        *(
            f"platform/stacks/{name}/cdk.tf.json"
            for name in ("dev-network", "staging-service", "prod-service")
        ),
        "late/stacks/late/cdk.tf.json",
    } <= set(by_stack)
    assert files_in(tmp_path / "fast") == by_stack
    assert stamps_in(INSTALLED) == installed
    assert cached_by_jsii
    assert cached_by_jsii.items() <= stamps_in(jsii_cache).items()


def test_only_the_submodules_that_are_named_are_imported() -> None:
    done = run(
        "-c",
        "import sys, stacks.bindings;"
        "print(sum(name.rpartition('.')[0] == 'cdktf_cdktf_provider_aws' for name in sys.modules))",
    )
    named = (ROOT / "stacks/bindings.py").read_text().count("from cdktf_cdktf_provider_aws.")
    assert int(done.stdout) == named + 1  # and _jsii, which each of them imports


def test_every_binding_is_used() -> None:
    tree = ast.parse((ROOT / "stacks/bindings.py").read_text())
    named = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    sources = [path for path in (ROOT / "stacks").rglob("*.py") if path.name != "bindings.py"]
    used = {word for path in sources for word in re.findall(r"\w+", path.read_text())}
    assert named - used == set()


def archive_of(path: Path, **files: bytes) -> Path:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as target:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            target.addfile(member, BytesIO(content))
    path.write_bytes(gzip.compress(packed.getvalue()))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A provider of three namespaces in the form of the real one, which takes seconds to read."""
    submodules = {
        f"{PROVIDER_ASSEMBLY}.{namespace}": {"symbolId": f"src/{folder}/index:"}
        for namespace, folder in {"vpc": "vpc", "lb": "lb", "subnet": "subnet-of-vpc"}.items()
    }
    types = {
        f"{name}.{kind}": {"fqn": f"{name}.{kind}"} for name in submodules for kind in ("It", "ItConfig")
    }
    files = {
        f"lib/{folder}/index.js": f'It = "{PROVIDER_ASSEMBLY}.{folder}.It"; "{PROVIDER_ASSEMBLY}"'.encode()
        for folder in ("vpc", "lb", "subnet-of-vpc")
    }
    described = json.dumps({"name": PROVIDER_ASSEMBLY, "submodules": submodules, "types": types}).encode()
    return archive_of(
        tmp_path / "provider.tgz", **{".jsii": described, "package.json": b"{}", "lib/index.js": b""}, **files
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/oaktree/bindings"


def contents_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        return {name: file.read() for name in opened.getnames() if (file := opened.extractfile(name))}


def namespaces_in(archive: Path) -> set[str]:
    return {Path(name).parts[2] for name in contents_of(archive.read_bytes()) if name.count("/") == 3}


def test_an_assembly_has_the_namespaces_that_are_named_under_its_own_name(archive: Path) -> None:
    files = contents_of(trimmed_assembly(archive, "another", ["subnet", "vpc"]))
    assert files.keys() == {
        f"package/{path}"
        for path in (
            ".jsii",
            "package.json",
            "lib/index.js",
            "lib/subnet-of-vpc/index.js",
            "lib/vpc/index.js",
        )
    }
    described = json.loads(files["package/.jsii"])
    assert described["name"] == "another"
    assert described["submodules"].keys() == {"another.subnet", "another.vpc"}
    assert {fqn: each["fqn"] for fqn, each in described["types"].items()} == {
        fqn: fqn for name in described["submodules"] for fqn in (f"{name}.It", f"{name}.ItConfig")
    }
    assert files["package/lib/index.js"].splitlines() == [
        b"exports.subnet = require('./subnet-of-vpc');",
        b"exports.vpc = require('./vpc');",
    ]
    assert files["package/lib/vpc/index.js"] == b'It = "another.vpc.It"; "another"'


def test_an_assembly_is_made_once_for_each_set_of_namespaces(archive: Path, cache: Path) -> None:
    first = cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc", "subnet"])
    made = first.stat().st_mtime_ns
    again = cached_assembly(archive, PROVIDER_ASSEMBLY, ["subnet", "vpc"])
    other = cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc", "lb"])
    assert again == first
    assert again.stat().st_mtime_ns == made
    assert namespaces_in(first) == {"subnet-of-vpc", "vpc"}
    assert namespaces_in(other) == {"lb", "vpc"}
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"something else", b"half"])
def test_a_damaged_or_foreign_entry_is_made_anew(archive: Path, cache: Path, damage: bytes) -> None:
    entry = cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"])
    content = entry.read_bytes()
    entry.write_bytes(content[: len(content) // 2] if damage == b"half" else damage)
    assert cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"]).read_bytes() == content
    assert [path.read_bytes() for path in cache.iterdir()] == [content]


def test_two_that_make_an_entry_at_once_make_one_whole_entry(
    archive: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = trimmed_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"])
    both = Barrier(2)

    def trimmed_by_both(*_: object) -> bytes:
        both.wait(timeout=60)
        return content

    monkeypatch.setattr(jsii_loading, "trimmed_assembly", trimmed_by_both)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(cached_assembly, [archive] * 2, [PROVIDER_ASSEMBLY] * 2, [["vpc"]] * 2))
    (entry,) = cache.iterdir()
    assert made == [entry, entry]
    assert entry.read_bytes() == content


KILLED = {
    "while it writes": (
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    ),
    "before the file has its name": "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)",
}
"""What ends a process that makes an entry, each time at the same place."""


@pytest.mark.parametrize("when", KILLED)
def test_a_process_killed_midway_leaves_nothing_that_would_be_used(
    archive: Path, cache: Path, when: str
) -> None:
    program = (
        "import os, resource, signal, sys; from pathlib import Path;"
        f"from stacks.jsii_loading import cached_assembly; {KILLED[when]};"
        f"cached_assembly(Path(sys.argv[1]), {PROVIDER_ASSEMBLY!r}, ['vpc'])"
    )
    done = run("-c", program, str(archive))
    assert done.returncode in (-signal.SIGXFSZ, -signal.SIGKILL), done.stderr
    (aside,) = cache.iterdir()
    assert aside.suffix != ".tgz"
    entry = cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"])
    assert entry.read_bytes() == trimmed_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"])


@pytest.mark.parametrize(
    "kind", ["no archive", "empty", "no description", "other description", "other names"]
)
def test_another_form_of_package_is_told_with_the_way_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "provider.tgz"
    match kind:
        case "no archive":
            path.write_bytes(b"not an archive")
        case "empty":
            archive_of(path)
        case "no description":
            archive_of(path, **{"package.json": b"{}"})
        case "other description":
            archive_of(path, **{".jsii": b'{"schema": "another"}', "package.json": b"{}"})
        case _:
            described = b'{"submodules": {"@cdktf/provider-aws.vpc": {"symbolId": "lib/vpc"}}, "types": {}}'
            archive_of(path, **{".jsii": described, "package.json": b"{}"})
    with pytest.raises(UnknownBindingsError, match=f"set {FULL_BINDINGS}=1"):
        trimmed_assembly(path, PROVIDER_ASSEMBLY, ["vpc"])


def test_another_jsii_ends_the_program_with_one_message(tmp_path: Path) -> None:
    program = (
        "import sys, jsii; del jsii.create;"
        "sys.argv = ['main.py', '--environments', sys.argv[1], '--outdir', sys.argv[2]];"
        "import main; sys.exit(main.main())"
    )
    done = run("-c", program, str(ENVIRONMENTS), str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "jsii is not made as version 1.142 is, so the AWS bindings cannot be loaded"
    )
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_cache_that_cannot_be_made_is_done_without(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    entry = cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"])
    assert entry.read_bytes() == trimmed_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"])
    assert cached_assembly(archive, PROVIDER_ASSEMBLY, ["vpc"]) == entry
