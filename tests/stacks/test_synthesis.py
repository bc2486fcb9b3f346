"""Synthesis: the same files each time, and never half of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.reading import read_platform
from tests.places import ENVIRONMENTS, ROOT
from tests.stacks.platform_files import environment, write_platform
from tests.stacks.terraform_json import Stack
from tests.tools import PROVIDER


def files_in(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def run_main(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-O", ROOT / "main.py", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_environment_has_a_network_a_data_and_a_service_stack_and_each_account_a_foundation(
    stacks: dict[str, Stack],
) -> None:
    assert sorted(stacks) == [
        "dev-data",
        "dev-network",
        "dev-service",
        "foundation",
        "foundation-222222222222",
        "prod-data",
        "prod-network",
        "prod-service",
        "staging-data",
        "staging-network",
        "staging-service",
    ]


@pytest.mark.e2e
def test_two_syntheses_in_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        arguments = ("--environments", ENVIRONMENTS, "--outdir", tmp_path / seed)
        result = run_main(*arguments, PYTHONHASHSEED=seed)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert files_in(tmp_path / "1") == files_in(tmp_path / "2")
    assert "stacks/dev-service/cdk.tf.json" in files_in(tmp_path / "1")


def test_bad_settings_end_with_status_2_and_leave_the_former_output_as_it_was(tmp_path: Path) -> None:
    from stacks.synthesis import synthesize

    environments = write_platform(tmp_path / "environments", dev=environment())
    outdir = tmp_path / "cdktf.out"
    synthesize(read_platform(environments), outdir)
    former = files_in(outdir)

    write_platform(
        environments, dev=environment(services="[services.web]\nkind = 'status'\ncpu = 1\nkeep_alive = 1\n")
    )
    result = run_main("--environments", environments, "--outdir", outdir)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        (
            f"{environments}/dev.toml: services.web.cpu = 1: Fargate does not sell this; "
            "one of 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units"
        ),
        (
            f"{environments}/dev.toml: services.web.keep_alive = 1: more than load_balancer.idle_timeout = "
            "60, or the load balancer answers 502 now and then"
        ),
    ]
    assert files_in(outdir) == former


def test_a_warning_is_told_with_its_file_and_everything_is_written(tmp_path: Path) -> None:
    network = 'network = { cidr = "10.10.0.0/16", tasks = "public", nat = "none" }\n'
    environments = write_platform(tmp_path / "environments", dev=environment(network=network))
    result = run_main("--environments", environments, "--outdir", tmp_path / "cdktf.out")
    assert (result.returncode, result.stdout) == (0, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f'Warning: {environments}/dev.toml: network.tasks = "public": ')
    assert "stacks/dev-service/cdk.tf.json" in files_in(tmp_path / "cdktf.out")


def test_a_synthesis_that_fails_midway_leaves_the_former_output_and_nothing_beside_it(tmp_path: Path) -> None:
    from stacks.synthesis import synthesize

    platform = read_platform(write_platform(tmp_path / "environments", dev=environment()))
    outdir = tmp_path / "out" / "cdktf.out"
    synthesize(platform, outdir)
    former = files_in(outdir)
    # No construct can be built from it: CDKTF itself refuses the stack's name.
    broken = platform.model_copy(
        update={"environments": {"a b": platform.environments["dev"].model_copy(update={"name": "a b"})}}
    )
    with pytest.raises(RuntimeError):
        synthesize(broken, outdir)
    assert files_in(outdir) == former
    assert [path.name for path in outdir.parent.iterdir()] == ["cdktf.out"]


def test_a_stack_that_is_no_longer_there_leaves_the_output(tmp_path: Path) -> None:
    from stacks.synthesis import synthesize

    other = environment(network='network = { cidr = "10.20.0.0/16" }\n')
    environments = write_platform(tmp_path / "environments", dev=environment(), other=other)
    synthesize(read_platform(environments), tmp_path / "cdktf.out")
    assert (tmp_path / "cdktf.out/stacks/other-network").exists()
    (environments / "other.toml").unlink()
    synthesize(read_platform(environments), tmp_path / "cdktf.out")
    assert not (tmp_path / "cdktf.out/stacks/other-network").exists()


def test_every_stack_is_pinned_to_its_account_provider_and_place_of_state(stacks: dict[str, Stack]) -> None:
    accounts = {
        "prod-data": "222222222222",
        "prod-network": "222222222222",
        "prod-service": "222222222222",
        "foundation-222222222222": "222222222222",
    }
    for name, stack in stacks.items():
        terraform = stack.content["terraform"]
        assert terraform["required_providers"]["aws"] == {"source": "aws", "version": PROVIDER}
        assert terraform["required_version"] == ">= 1.10"
        assert terraform["backend"]["s3"] == {
            "bucket": "oaktree-state-111111111111-eu-central-1",
            "encrypt": True,
            "key": f"{name}.tfstate",
            "region": "eu-central-1",
            "use_lockfile": True,
        }
        (provider,) = stack.content["provider"]["aws"]
        assert provider["allowed_account_ids"] == [accounts.get(name, "111111111111")]
        assert "endpoints" not in provider


def test_tags_are_written_in_one_place_and_reach_everything_through_the_provider(
    stacks: dict[str, Stack],
) -> None:
    for stack in stacks.values():
        (provider,) = stack.content["provider"]["aws"]
        assert provider["default_tags"] == [{"tags": "${local.tags}"}]
        for address, body in stack.resources().items():
            assert not set(body.get("tags", {})) & set(stack.content["locals"]["tags"]), address
    assert stacks["prod-service"].content["locals"]["tags"] == {
        "project": "oaktree",
        "environment": "prod",
        "owner": "platform@example.com",
        "cost-centre": "2000",
        "managed-by": "terraform",
        "repository": "example/oaktree",
    }


def test_every_variable_and_output_of_ours_has_a_description(stacks: dict[str, Stack]) -> None:
    for stack in stacks.values():
        for name, output in stack.content.get("output", {}).items():
            assert output.get("description"), name
        for name, variable in stack.content.get("variable", {}).items():
            assert variable["description"], name
            assert variable["validation"], name


def test_an_output_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = run_main("--environments", ENVIRONMENTS, "--outdir", tmp_path / "file" / "cdktf.out")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in result.stderr
