"""Running the real Terraform: where providers come from, logs, errors, interrupts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError
from ops.terraform import providers
from ops.terraform.binary import Terraform, TerraformError, error_blocks, find_terraform
from ops.terraform.workspace import Workspace

SLOW = {
    "resource": {
        "terraform_data": {"slow": {"provisioner": [{"local-exec": {"command": "touch began; sleep 20"}}]}}
    }
}


def workspace(root: Path, configuration: object) -> Workspace:
    """A stack that needs no provider but the one built into Terraform."""
    synthesized = root / "cdk.tf.json"
    synthesized.write_text(json.dumps(configuration))
    made = Workspace("stack", root / "work", find_terraform(root / "shared"), os.environ)
    made.take(synthesized)
    return made


def make_mirror(directory: Path) -> Path:
    version = directory / "mirror" / "registry.terraform.io" / "hashicorp" / "aws" / "5.100.0"
    version.mkdir(parents=True)
    return directory / "mirror"


def test_the_named_cli_configuration_is_kept_when_it_exists(tmp_path: Path) -> None:
    named = tmp_path / "named.rc"
    named.write_text("")
    base = {"TF_CLI_CONFIG_FILE": str(named), "TF_PLUGIN_MIRROR": str(make_mirror(tmp_path))}
    environment = Terraform(Path("terraform"), "1.11.4", tmp_path).environment(base)
    assert environment["TF_CLI_CONFIG_FILE"] == str(named)


def test_a_mirror_serves_what_it_holds_and_nothing_else(tmp_path: Path) -> None:
    base = {
        "TF_CLI_CONFIG_FILE": str(tmp_path / "missing"),
        "TF_PLUGIN_MIRROR": str(make_mirror(tmp_path)),
    }
    environment = Terraform(Path("terraform"), "1.11.4", tmp_path / "shared").environment(base)
    content = Path(environment["TF_CLI_CONFIG_FILE"]).read_text()
    assert content.count('["registry.terraform.io/hashicorp/aws"]') == 2
    assert f'path    = "{tmp_path / "mirror"}"' in content


def test_without_either_terraforms_own_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "answers", lambda _: True)
    providers._stand_in.cache_clear()
    base = {"TF_CLI_CONFIG_FILE": str(tmp_path / "missing"), "TF_DATA_DIR": "x", "TF_WORKSPACE": "y"}
    environment = Terraform(Path("terraform"), "1.11.4", tmp_path).environment(base)
    assert not environment.keys() & {"TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_WORKSPACE"}
    assert Path(environment["TF_PLUGIN_CACHE_DIR"]).is_dir()


def test_a_mirror_that_is_no_directory_is_told(tmp_path: Path) -> None:
    terraform = Terraform(Path("terraform"), "1.11.4", tmp_path)
    with pytest.raises(OpsError, match=r"TF_PLUGIN_MIRROR=.*missing is not a directory\. Name one"):
        terraform.environment({"TF_PLUGIN_MIRROR": str(tmp_path / "missing")})


def test_a_missing_terraform_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OpsError, match=r"terraform nor tofu of version 1\.10 or later.*make setup"):
        find_terraform(tmp_path)


def test_output_goes_to_the_log_and_line_by_line_to_the_listener(tmp_path: Path) -> None:
    stack = workspace(tmp_path, {"output": {"word": {"value": "oak"}}})
    stack.init()
    lines: list[str] = []
    stack.apply(on_line=lines.append)
    assert 'word = "oak"' in lines
    assert lines == stack.log("apply").read_text().splitlines()
    assert "\x1b" not in stack.log("apply").read_text()


def test_an_error_has_command_status_log_and_terraforms_words(tmp_path: Path) -> None:
    stack = workspace(tmp_path, {"output": {"a": {"value": "${var.a}"}, "b": {"value": "${var.b}"}}})
    stack.init()
    with pytest.raises(TerraformError) as caught:
        stack.validate()
    error = caught.value
    assert (error.exit_status, error.log) == (1, stack.log("validate"))
    assert [block.splitlines()[0] for block in error.errors] == [
        "Error: Reference to undeclared input variable"
    ] * 2
    assert str(error).startswith("`terraform validate` failed with exit status 1.\nError: Reference")
    assert str(error).endswith(f"Log: {stack.log('validate')}")
    assert "│" not in str(error)


def test_stacks_are_validated_together_and_each_error_names_the_file_of_its_stack(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    stacks = workspace(tmp_path / "all", {})
    files = {}
    for name, value in {"good": "oak", "bad": "${var.a}", "worse": "${local.b}"}.items():
        files[name] = tmp_path / f"{name}.json"
        backend = {"backend": {"s3": {"bucket": "b", "key": name, "region": "eu-central-1"}}}
        files[name].write_text(json.dumps({"terraform": backend, "output": {"word": {"value": value}}}))
    stacks.take_together(files)
    stacks.init("-backend=false")
    with pytest.raises(TerraformError) as caught:
        stacks.validate()
    assert sorted(line for error in caught.value.errors for line in error.splitlines() if " on " in line) == [
        "  on bad/cdk.tf.json line 1, in output.word:",
        "  on worse/cdk.tf.json line 1, in output.word:",
    ]
    stacks.take_together({"good": files["good"]})
    stacks.init("-backend=false")
    stacks.validate()


def test_warnings_are_not_taken_for_errors() -> None:
    output = "╷\n│ Warning: old\n│ \n│ words\n╵\n╷\n│ \x1b[31mError: \x1b[0mnew\n│ \n│   in x\n╵\nbye\n"
    assert error_blocks(output) == ["Error: new\n\n  in x"]


def test_a_long_error_is_cut_for_people() -> None:
    (block,) = error_blocks("Error: new\n" + "x" * 1000 + "\nline" * 100)
    assert block.splitlines()[1] == "x" * 300 + "..."
    assert len(block.splitlines()) == 31
    assert block.endswith("(the log has the rest)")


def test_the_line_that_a_whole_configuration_is_stays_out_of_an_error() -> None:
    quoted = "Error: new\n\n  on cdk.tf.json line 1, in output.x:\n   1: {" + "x" * 1000 + "\n\nWrong."
    assert error_blocks(quoted) == ["Error: new\n\n  on cdk.tf.json line 1, in output.x:\n\nWrong."]
    short = "Error: new\n\n  on x.tf line 12, in output:\n  12: value = y\n\nWrong."
    assert error_blocks(short) == [short]


def test_the_configuration_is_taken_unchanged_and_the_rest_of_the_directory_stays(tmp_path: Path) -> None:
    stack = workspace(tmp_path, {"output": {"word": {"value": "oak"}}})
    stack.init()
    stack.plan()
    changed = tmp_path / "changed.json"
    changed.write_text('{"output": {"word": {"value": "elm"}}}')
    stack.take(changed)
    assert (stack.directory / "cdk.tf.json").read_bytes() == changed.read_bytes()
    assert stack.saved_plan.exists()
    assert not stack.planned_from(changed)
    with pytest.raises(OpsError, match=r"missing\.json does not exist\. Run `make synth`"):
        stack.take(tmp_path / "missing.json")
    assert (stack.directory / "cdk.tf.json").read_bytes() == changed.read_bytes()


def test_two_commands_do_not_work_in_one_directory(tmp_path: Path) -> None:
    stack = workspace(tmp_path, {})
    with (
        stack.reserved(),
        pytest.raises(OpsError, match=f"Another command is at work on stack.*{os.getpid()}"),
        stack.reserved(),
    ):
        pass
    with stack.reserved():
        pass


def test_an_interrupt_lets_terraform_release_its_lock(tmp_path: Path) -> None:
    stack = workspace(tmp_path, SLOW)
    stack.init()
    program = (
        "import os, sys; from pathlib import Path\n"
        "from ops.terraform.binary import find_terraform; from ops.terraform.workspace import Workspace\n"
        f"root = Path({str(tmp_path)!r})\n"
        "Workspace('stack', root / 'work', find_terraform(root / 'shared'), os.environ).apply()\n"
    )
    with subprocess.Popen(
        (sys.executable, "-c", program), cwd=SOURCE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (stack.directory / "began").exists():
            assert process.poll() is None
            time.sleep(0.05)
        lock = stack.directory / ".terraform.tfstate.lock.info"
        assert lock.exists()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert "Interrupted: waiting for Terraform" in told
    assert told.rstrip().endswith("KeyboardInterrupt")
    assert not lock.exists()
    log = stack.log("apply").read_text()
    assert "Interrupt received" in log
    assert "Two interrupts received" not in log
