"""The fast loading of the bindings: the same output, a cache that cannot mislead, and a clear way out."""

import ast
import gzip
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

import pytest

from stacks import jsii_loading
from stacks.jsii_loading import FULL_BINDINGS, PROVIDER_ASSEMBLY, cached_assembly, trimmed_assembly
from stacks.problems import UnknownBindingsError
from tests.stacks.conftest import REPOSITORY

ARCHIVE = next(
    Path(path) / "_jsii" / "provider-aws@20.1.0.jsii.tgz"
    for path in sys.modules[jsii_loading.PROVIDER_PACKAGE].__path__
)

LATE_IMPORT = """
import sys
from stacks.bindings import App, AwsProvider, TerraformStack, Vpc

app = App(outdir=sys.argv[1])
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
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | variables,
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


def test_fast_and_full_loading_give_the_same_bytes_and_leave_what_is_installed_alone(tmp_path: Path) -> None:
    jsii_cache = tmp_path / "jsii"
    variables = {
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(jsii_cache),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    installed = stamps_in(ARCHIVE.parent)

    full = run("main.py", "--outdir", str(tmp_path / "full"), **variables, **{FULL_BINDINGS: "1"})
    assert (full.returncode, full.stderr) == (0, "")
    assert not (tmp_path / "cache").exists()
    cached_by_jsii = stamps_in(jsii_cache)
    fast = run("-O", "main.py", "--outdir", str(tmp_path / "fast"), **variables)
    assert (fast.returncode, fast.stderr) == (0, "")

    by_stack = files_in(tmp_path / "full")
    assert {
        f"stacks/{name}/cdk.tf.json" for name in ("dev-network", "staging-service", "prod-service")
    } <= set(by_stack)
    assert files_in(tmp_path / "fast") == by_stack
    assert stamps_in(ARCHIVE.parent) == installed
    assert cached_by_jsii
    assert cached_by_jsii.items() <= stamps_in(jsii_cache).items()


def test_a_namespace_that_is_imported_late_is_loaded_then(tmp_path: Path) -> None:
    fast = run("-c", LATE_IMPORT, str(tmp_path / "fast"))
    full = run("-c", LATE_IMPORT, str(tmp_path / "full"), **{FULL_BINDINGS: "1"})
    assert (fast.returncode, fast.stderr) == (full.returncode, full.stderr) == (0, "")
    assert files_in(tmp_path / "fast") == files_in(tmp_path / "full")


def test_only_the_submodules_that_are_named_are_imported() -> None:
    done = run(
        "-c",
        "import sys, stacks.bindings;"
        "print(sum(name.rpartition('.')[0] == 'cdktf_cdktf_provider_aws' for name in sys.modules))",
    )
    named = (REPOSITORY / "stacks/bindings.py").read_text().count("from cdktf_cdktf_provider_aws.")
    assert int(done.stdout) == named + 1  # and _jsii, which each of them imports


def test_every_binding_is_used() -> None:
    tree = ast.parse((REPOSITORY / "stacks/bindings.py").read_text())
    named = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    sources = [path for path in (REPOSITORY / "stacks").rglob("*.py") if path.name != "bindings.py"]
    used = {word for path in sources for word in re.findall(r"\w+", path.read_text())}
    assert named - used == set()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/oaktree/bindings"


def namespaces_in(archive: Path) -> set[str]:
    with tarfile.open(archive) as opened:
        return {Path(name).parts[2] for name in opened.getnames() if name.count("/") == 3}


def test_an_assembly_is_made_once_for_each_set_of_namespaces(cache: Path) -> None:
    first = cached_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc", "subnet"])
    made = first.stat().st_mtime_ns
    again = cached_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["subnet", "vpc"])
    other = cached_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc", "lb"])
    assert again == first
    assert again.stat().st_mtime_ns == made
    assert namespaces_in(first) == {"subnet", "vpc"}
    assert namespaces_in(other) == {"lb", "vpc"}
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"something else", b"half"])
def test_a_damaged_or_foreign_entry_is_made_anew(cache: Path, damage: bytes) -> None:
    entry = cached_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc"])
    content = entry.read_bytes()
    entry.write_bytes(content[: len(content) // 2] if damage == b"half" else damage)
    assert cached_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc"]).read_bytes() == content
    assert [path.read_bytes() for path in cache.iterdir()] == [content]


def test_two_processes_at_once_make_one_whole_entry(cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stacks.jsii_loading import cached_assembly;"
        f"print(cached_assembly(Path(sys.argv[1]), {PROVIDER_ASSEMBLY!r}, ['vpc']))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(ARCHIVE)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    (entry,) = cache.iterdir()
    assert answers == {f"{entry}\n"}
    assert entry.read_bytes() == trimmed_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc"])


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0])
def test_a_process_killed_midway_leaves_nothing_that_would_be_used(seconds: float) -> None:
    program = (
        "import sys; from pathlib import Path; from stacks.jsii_loading import cached_assembly;"
        f"[cached_assembly(Path(sys.argv[1]), {PROVIDER_ASSEMBLY!r}, names) for names in (['vpc'], ['lb'])]"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(ARCHIVE)], cwd=REPOSITORY)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    entry = cached_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc"])
    assert entry.read_bytes() == trimmed_assembly(ARCHIVE, PROVIDER_ASSEMBLY, ["vpc"])


def archive_of(path: Path, **files: bytes) -> Path:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as target:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            target.addfile(member, BytesIO(content))
    path.write_bytes(gzip.compress(packed.getvalue()))
    return path


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
        "import sys, jsii; del jsii.create; sys.argv = ['main.py', '--outdir', sys.argv[1]];"
        "import main; sys.exit(main.main())"
    )
    done = run("-c", program, str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "jsii is not made as version 1.142 is, so the AWS bindings cannot be loaded"
    )
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    done = run("main.py", "--outdir", str(tmp_path / "out"), XDG_CACHE_HOME=str(in_the_way))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out/manifest.json").exists()
