"""Terraform with the types that a configuration names: as with all of them, and nothing outlives it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local.embedded import Embedded
from ops.terraform import serving
from ops.terraform.binary import Terraform, TerraformError, find_terraform
from ops.terraform.provider_server import narrowed
from tests.ops.conftest import ACCOUNT, REGION
from tests.tools import PROVIDER
from tests.webapp.waiting import soon

PARAMETER = {"aws_ssm_parameter": {"one": {"name": "one", "type": "String", "value": "1"}}}
TOPIC = {"aws_sns_topic": {"two": {"name": "two"}}}


class Stack:
    """A directory with parameters and topics, which are planned and applied at the embedded AWS."""

    def __init__(self, directory: Path, embedded: Embedded, **further: str) -> None:
        self.directory = directory
        self.terraform: Terraform = find_terraform(directory / "shared")
        self.environment = {**embedded.environment(ACCOUNT, REGION, os.environ), **further}
        self.write(PARAMETER)
        self.run("init")

    def write(self, *resources: dict[str, Any]) -> None:
        required = {"aws": {"source": "hashicorp/aws", "version": PROVIDER}}
        merged = {name: value for resource in resources for name, value in resource.items()}
        (self.directory / "cdk.tf.json").write_text(
            json.dumps({"terraform": {"required_providers": required}, "resource": merged})
        )

    def run(self, *arguments: str) -> str:
        log = self.directory / "log"
        self.terraform.run(arguments, directory=self.directory, log=log, environment=self.environment)
        return log.read_text()

    def plan(self) -> dict[str, Any]:
        self.run("plan", "-out=plan")
        shown = self.terraform.read(
            ("show", "-json", "plan"), directory=self.directory, environment=self.environment
        )
        plan: dict[str, Any] = json.loads(shown)
        return {name: value for name, value in plan.items() if name != "timestamp"}

    @property
    def was_served(self) -> bool:
        return (self.directory / "shared/schemas").is_dir()


def providers_of(directory: Path) -> list[str]:
    """The processes of the provider that work in a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == directory and b"terraform-provider" in (
                process / "cmdline"
            ).read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_plan_and_apply_are_as_with_the_whole_schema(embedded: Embedded, tmp_path: Path) -> None:
    """Also for a type that is in the state only: all types are served then."""
    for name in ("served", "itself"):
        (tmp_path / name).mkdir()
    # A provider that is configured twice, to plan and to destroy, refuses to take certificates again.
    served = Stack(tmp_path / "served", embedded, AWS_CA_BUNDLE=certifi.where())
    # Whoever wants the provider's log gets Terraform as it is.
    itself = Stack(tmp_path / "itself", embedded, TF_LOG_PROVIDER="error")
    assert served.plan() == itself.plan()
    assert (served.was_served, itself.was_served) == (True, False)

    served.run("apply", "plan")
    served.write(PARAMETER, TOPIC)
    served.plan()
    served.run("apply", "plan")
    (itself.directory / "terraform.tfstate").write_bytes(
        (served.directory / "terraform.tfstate").read_bytes()
    )
    for stack in (served, itself):
        stack.write(PARAMETER)
    planned = served.plan()
    assert planned == itself.plan()
    assert [change["change"]["actions"] for change in planned["resource_changes"]] == [["delete"], ["no-op"]]
    served.run("apply", "plan")
    assert "Destroy complete" in served.run("destroy", "-auto-approve")
    assert not providers_of(served.directory)


def test_an_error_of_the_provider_is_told_in_its_words(embedded: Embedded, tmp_path: Path) -> None:
    stack = Stack(tmp_path, embedded)
    stack.write({"aws_sqs_queue": {"one": {"name": "one", "visibility_timeout_seconds": 99999}}})
    with pytest.raises(TerraformError, match=r"expected visibility_timeout_seconds to be in the range"):
        stack.plan()


CONFIGURATION = b'{"provider": {"aws": [{}]}}'
AT_DESK = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}


@pytest.mark.parametrize(
    ("command", "environment", "configuration", "wanted"),
    [
        ("plan", AT_DESK, CONFIGURATION, True),
        ("plan", {}, CONFIGURATION, False),
        ("plan", {"AWS_ENDPOINT_URL": "https://sts.amazonaws.com"}, CONFIGURATION, False),
        ("plan", AT_DESK | {"TF_LOG": "debug"}, CONFIGURATION, False),
        ("plan", AT_DESK, b'{"provider": {"google": [{}]}}', False),
        ("plan", AT_DESK, b'{"provider": {"aws": [{}, {"alias": "us"}]}}', False),
        ("plan", AT_DESK, b'{"provider": {"aws": [{}]}, "resource": {"r": {"alias": {"name": "x"}}}}', True),
        ("init", AT_DESK, CONFIGURATION, False),
        ("validate", {}, CONFIGURATION, True),
    ],
)
def test_aws_itself_is_asked_by_terraform_and_the_provider_alone(
    command: str, environment: dict[str, str], configuration: bytes, wanted: bool
) -> None:
    """So is whatever one process of the provider cannot do, such as acting in two regions."""
    assert serving._is_wanted((command,), environment, configuration) is wanted


def test_of_two_versions_the_locked_one_is_served(tmp_path: Path) -> None:
    host = "registry.terraform.io"
    for version in ("5.99.0", "5.100.0", "5.101.0"):
        folder = tmp_path / f".terraform/providers/{host}/hashicorp/aws/{version}/linux_amd64"
        folder.mkdir(parents=True)
        (folder / f"terraform-provider-aws_v{version}").touch()
    assert serving._executable(tmp_path, {}, host) is None
    (tmp_path / ".terraform.lock.hcl").write_text(
        f'provider "{host}/hashicorp/aws" {{\n  version     = "5.100.0"\n  constraints = "5.100.0"\n}}\n'
    )
    served = serving._executable(tmp_path, {}, host)
    assert served
    assert served.name == "terraform-provider-aws_v5.100.0"


def test_the_provider_goes_on_when_its_command_is_killed_and_ends_with_terraform(
    embedded: Embedded, tmp_path: Path
) -> None:
    stack = Stack(tmp_path, embedded)
    wait = {
        "provisioner": [{"local-exec": {"command": "touch waits; while [ -e waits ]; do sleep 0.1; done"}}]
    }
    stack.write(
        {"terraform_data": {"first": wait}},
        {"aws_sns_topic": {"two": {"name": "killed", "depends_on": ["terraform_data.first"]}}},
    )
    command = (
        "import os; from pathlib import Path; from ops.terraform.binary import find_terraform; "
        "here = Path.cwd(); find_terraform(here / 'shared').run(('apply', '-auto-approve'), "
        "directory=here, log=here / 'log', environment=os.environ)"
    )
    variables = stack.environment | {"PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.Popen((sys.executable, "-c", command), cwd=tmp_path, env=variables)
    soon((tmp_path / "waits").exists, bool)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert providers_of(tmp_path)
    (tmp_path / "waits").unlink()
    soon(lambda: "Apply complete! Resources: 2 added" in (tmp_path / "log").read_text(), bool)
    soon(lambda: providers_of(tmp_path), [].__eq__)


def field(number: int, content: bytes) -> bytes:
    """A field with a length, as Protocol Buffers encode it; `number` is less than 16."""
    length, size = len(content), b""
    while length > 0x7F:
        size, length = size + bytes((length & 0x7F | 0x80,)), length >> 7
    return bytes((number << 3 | 2,)) + size + bytes((length,)) + content


@given(
    types=st.lists(
        st.tuples(
            st.sampled_from((2, 3, 8)), st.from_regex(rb"aws_[a-z_]{1,200}", fullmatch=True), st.binary()
        )
    ),
    others=st.lists(st.tuples(st.sampled_from((1, 4, 6, 7)), st.binary(max_size=300))),
    kept=st.integers(min_value=0),
)
def test_a_schema_loses_the_types_that_are_not_named_and_nothing_else(
    types: list[tuple[int, bytes, bytes]], others: list[tuple[int, bytes]], kept: int
) -> None:
    named = frozenset(name for index, (_, name, _) in enumerate(types) if kept >> index & 1)
    rest = b"".join(field(number, content) for number, content in others)

    def entries(wanted: frozenset[bytes]) -> bytes:
        return b"".join(
            field(number, field(1, name) + field(2, content))
            for number, name, content in types
            if name in wanted
        )

    whole = entries(frozenset(name for _, name, _ in types)) + rest
    assert narrowed(whole, named) == entries(named) + rest
