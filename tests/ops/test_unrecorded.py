"""Releases that are planned before they are recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.core.checkout import Checkout
from ops.core.ecs import Image
from ops.terraform import provision
from ops.terraform.binary import Terraform
from ops.terraform.provision import with_releases
from ops.terraform.workspace import Workspace
from stacks import kinds
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.ops.conftest import PROJECT
from tests.stacks.conftest import Synthesize, stacks, synthesize
from tests.stacks.platform_files import environment, write_platform

__all__ = ["stacks", "synthesize"]

RELEASE = Image("111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:" + "a" * 64, "abcdef1")
SERVICES = """
[services.web]
dockerfile = "Dockerfile"

[services.api]
dockerfile = "Dockerfile"
path = "/api"
"""
TWO = environment(services=SERVICES)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return read_platform(write_platform(tmp_path / "environments", PROJECT, dev=TWO))


def conditions(content: dict[str, Any]) -> list[str]:
    (records,) = content["data"]["aws_ssm_parameters_by_path"].values()
    return [each["condition"] for each in records["lifecycle"]["postcondition"]]


def test_only_what_reads_the_record_of_a_service_changes(synthesize: Synthesize, platform: Platform) -> None:
    before = synthesize(PROJECT, dev=TWO)["dev-service"].content
    after = json.loads(
        with_releases(
            json.dumps(before).encode(), platform.project, platform.environments["dev"], {"web": RELEASE}
        )
    )
    local = after["locals"]["web_release"]
    assert local == {"image": RELEASE.image, "commit": RELEASE.commit}
    # What reads the local takes these two attributes of it, which a record has as well.
    used = json.dumps({key: value for key, value in before.items() if key not in ("locals", "data")})
    assert "local.web_release.image" in used
    assert used.count("local.web_release.") == sum(used.count(f"local.web_release.{name}") for name in local)
    assert any("/releases/web" in each for each in conditions(before))
    assert conditions(after) == [each for each in conditions(before) if "/releases/web" not in each]
    assert any("/releases/api" in each for each in conditions(after))
    after["locals"]["web_release"] = before["locals"]["web_release"]
    (records,) = after["data"]["aws_ssm_parameters_by_path"].values()
    (recorded,) = before["data"]["aws_ssm_parameters_by_path"].values()
    records["lifecycle"]["postcondition"] = recorded["lifecycle"]["postcondition"]
    assert after == before


def test_it_is_planned_in_the_working_directory_alone(
    synthesize: Synthesize, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize(PROJECT, dev=TWO)
    checkout = Checkout(tmp_path)
    terraform = Terraform(Path("terraform"), "1.11.4", tmp_path / "shared")
    workspace = Workspace("dev-service", tmp_path / "work", terraform, {})
    target = kinds.SERVICE.of_environment(platform.environments["dev"])
    monkeypatch.setattr(provision, "init", lambda *_: None)
    monkeypatch.setattr(Workspace, "plan", lambda *_, **__: None)
    local = "web_release"

    def planned(**releases: Image) -> object:
        provision.plan_here(workspace, checkout, platform, target, releases=releases)
        return json.loads((workspace.directory / "cdk.tf.json").read_text())["locals"][local]

    recorded = json.loads(checkout.configuration("dev-service").read_text())["locals"][local]
    assert planned(web=RELEASE) == {"image": RELEASE.image, "commit": RELEASE.commit}
    assert planned() == recorded
