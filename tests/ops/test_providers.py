"""Where providers come from while their registry is out of reach."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.look.doctor_terraform import provider_source
from ops.terraform import providers
from ops.terraform.binary import Terraform, find_terraform
from ops.terraform.workspace import Workspace

REMEMBERED = (providers.answers, providers._stand_in)
HOST = "registry.terraform.io"
UNREACHABLE = "http://127.0.0.1:9"
"""A proxy that nobody is: the port of RFC 863, on which nothing listens here."""


@pytest.fixture(autouse=True)
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the registry out of reach, on a machine that has no provider anywhere."""
    for name in ("TF_PLUGIN_MIRROR", "TF_CLI_CONFIG_FILE", "XDG_DATA_HOME", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, UNREACHABLE)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(providers, "_SYSTEM_FOLDERS", (str(tmp_path / "opt"),))
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


def forget() -> None:
    for remembered in REMEMBERED:
        remembered.cache_clear()


def put_provider(mirror: Path) -> Path:
    (mirror / HOST / providers.AWS / "5.100.0" / "linux_amd64").mkdir(parents=True)
    return mirror


def configuration_of(tmp_path: Path) -> str:
    """Return the CLI configuration that Terraform gets, or nothing."""
    terraform = Terraform(Path("terraform"), "1.11.4", tmp_path / "shared")
    file = terraform.environment(os.environ).get("TF_CLI_CONFIG_FILE")
    return Path(file).read_text() if file else ""


@pytest.mark.parametrize(
    "folder",
    [
        "terraform.d/plugins",
        "home/.terraform.d/plugins",
        "home/.local/share/terraform/plugins",
        "opt",
        "opt/share/terraform/plugins",
        "home/mirrors/terraform",
    ],
)
def test_a_mirror_stands_in_for_a_registry_that_cannot_be_reached(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = put_provider(tmp_path / folder)
    for _ in range(2):
        assert f'path    = "{mirror}"' in configuration_of(tmp_path)
    assert capsys.readouterr().err == f"{HOST} cannot be reached: providers come from {mirror}.\n"


def test_what_was_fetched_before_stands_in_too_and_is_not_cached_again(tmp_path: Path) -> None:
    terraform = Terraform(Path("terraform"), "1.11.4", tmp_path / "shared")
    put_provider(terraform.plugin_cache)
    put_provider(tmp_path / "opt")
    environment = terraform.environment(os.environ)
    assert str(terraform.plugin_cache) in Path(environment["TF_CLI_CONFIG_FILE"]).read_text()
    assert "TF_PLUGIN_CACHE_DIR" not in environment


def test_a_mirror_lies_at_most_three_folders_deep(tmp_path: Path) -> None:
    put_provider(tmp_path / "opt/a/b/c/d")
    assert configuration_of(tmp_path) == ""


def test_a_mirror_without_the_provider_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "opt/empty" / HOST / providers.AWS).mkdir(parents=True)
    (tmp_path / "opt/other" / HOST / "hashicorp/random").mkdir(parents=True)
    assert configuration_of(tmp_path) == ""


def test_a_persons_own_terraform_configuration_goes_first(tmp_path: Path) -> None:
    put_provider(tmp_path / "opt")
    (tmp_path / "home/.terraformrc").touch()
    assert configuration_of(tmp_path) == ""


def test_opentofu_asks_its_own_registry(tmp_path: Path) -> None:
    assert Terraform(Path("tofu"), "1.10.0", tmp_path).registry == "registry.opentofu.org"
    put_provider(tmp_path / "opt")
    tofu = Terraform(Path("tofu"), "1.10.0", tmp_path / "shared")
    assert "TF_CLI_CONFIG_FILE" not in tofu.environment(os.environ)


def test_without_a_mirror_one_message_says_what_to_set(tmp_path: Path) -> None:
    needs = {"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.100.0"}}}}
    synthesized = tmp_path / "cdk.tf.json"
    synthesized.write_text(json.dumps(needs))
    workspace = Workspace("stack", tmp_path / "work", find_terraform(tmp_path / "shared"), os.environ)
    workspace.take(synthesized)
    with pytest.raises(OpsError) as caught:
        workspace.init()
    told = str(caught.value)
    assert told.startswith(f"The AWS provider could not be fetched: {HOST} cannot be reached, and no mirror")
    assert "set TF_PLUGIN_MIRROR=DIRECTORY" in told
    assert "Error:" not in told


def test_a_registry_that_answers_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_provider(tmp_path / "opt")
    monkeypatch.setattr(providers, "answers", lambda _: True)
    assert configuration_of(tmp_path) == ""


def test_the_doctor_says_which_place_it_is(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)

    def told() -> tuple[str, str]:
        (finding,) = provider_source(checkout, {})
        return finding.level, finding.text

    assert told() == ("wrong", f"{HOST} cannot be reached, and no mirror of it is on this machine")
    mirror = put_provider(tmp_path / "opt")
    assert told() == ("ok", f"{mirror}, since {HOST} cannot be reached")
    (tmp_path / "home/.terraformrc").touch()
    assert told() == ("ok", f"as {tmp_path}/home/.terraformrc says")
