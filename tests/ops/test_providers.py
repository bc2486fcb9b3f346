"""Where providers come from while their registry is out of reach."""

import base64
import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.look.doctor_terraform import provider_source
from ops.terraform import fetch, providers
from ops.terraform.binary import Terraform, find_terraform
from ops.terraform.workspace import Workspace
from tests.tools import PROVIDER

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


def requiring(tmp_path: Path, stack: str = "stack", name: str = "aws", version: str = PROVIDER) -> Workspace:
    """A stack that requires a provider of HashiCorp's."""
    synthesized = tmp_path / "cdk.tf.json"
    required = {name: {"source": name, "version": version}}
    synthesized.write_text(json.dumps({"terraform": {"required_providers": required}}))
    workspace = Workspace(stack, tmp_path / "work", find_terraform(tmp_path / "shared"), os.environ)
    workspace.take(synthesized)
    return workspace


def put_package(mirror: Path, name: str = "aws", version: str = PROVIDER) -> str:
    """Put an empty executable in place of a provider for this platform; returns its checksum.

    Source: Terraform's documentation, "Dependency Lock File", "h1:", which is golang.org/x/mod's dirhash.
    """
    system, machine = platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}
    package = mirror / HOST / "hashicorp" / name / version / f"{system}_{machine[platform.machine()]}"
    package.mkdir(parents=True)
    executable = package / f"terraform-provider-{name}_v{version}_x5"
    executable.touch(0o755)
    listed = f"{hashlib.sha256(b'').hexdigest()}  {executable.name}\n"
    return "h1:" + base64.b64encode(hashlib.sha256(listed.encode()).digest()).decode()


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
    workspace = requiring(tmp_path)
    with pytest.raises(OpsError) as caught:
        workspace.init()
    told = str(caught.value)
    assert told.startswith(f"The AWS provider could not be fetched: {HOST} cannot be reached, and no mirror")
    assert "set TF_PLUGIN_MIRROR=DIRECTORY" in told
    assert "Error:" not in told


def test_a_provider_without_the_locked_checksum_is_refused(tmp_path: Path) -> None:
    put_package(tmp_path / "opt")
    workspace = requiring(tmp_path)
    with pytest.raises(OpsError) as caught:
        workspace.init()
    told = str(caught.value)
    assert told.startswith(
        "The AWS provider does not have the checksums in requirements/terraform.lock.hcl, "
    )
    assert "`make doctor` prints where it comes from: remove it there or name another source." in told
    assert "Error:" not in told


@pytest.mark.parametrize(("name", "version"), [("aws", "5.101.0"), ("random", "3.7.2")])
def test_a_provider_that_is_not_locked_is_refused(tmp_path: Path, name: str, version: str) -> None:
    put_package(tmp_path / "opt", name, version)
    put_provider(tmp_path / "opt")
    with pytest.raises(OpsError, match=r"other providers than requirements/terraform\.lock\.hcl") as caught:
        requiring(tmp_path, name=name, version=version).init()
    assert "Error:" not in str(caught.value)


def test_a_locked_provider_comes_from_the_cache_in_every_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terraform takes a provider from the cache only if the lock file names it."""
    checksum = put_package(tmp_path / "opt")
    lock = tmp_path / "terraform.lock.hcl"
    monkeypatch.setattr(providers, "LOCK_FILE", lock)
    lock.write_text(
        f'provider "{HOST}/{providers.AWS}" {{\n  version     = "{PROVIDER}"\n'
        f'  constraints = "{PROVIDER}"\n  hashes = [\n    "{checksum}",\n  ]\n}}\n'
    )
    said = {}
    for stack in ("one", "two"):
        requiring(tmp_path, stack).init()
        said[stack] = requiring(tmp_path, stack).log("init").read_text()
    assert f"Installing hashicorp/aws v{PROVIDER}" in said["one"]
    assert f"Using hashicorp/aws v{PROVIDER} from the shared cache directory" in said["two"]
    requiring(tmp_path, "two").init()
    assert "Using previously-installed" in requiring(tmp_path, "two").log("init").read_text()
    assert (tmp_path / "work/two/.terraform.lock.hcl").read_text() == lock.read_text()


def test_a_stack_that_requires_no_provider_needs_no_lock(tmp_path: Path) -> None:
    workspace = requiring(tmp_path)
    (workspace.directory / "cdk.tf.json").write_text('{"output": {"word": {"value": "oak"}}}')
    workspace.init()
    assert not (workspace.directory / ".terraform.lock.hcl").exists()


def test_the_lock_holds_one_provider_for_each_platform_that_terraform_is_pinned_for() -> None:
    """In both forms: `zh` is the sum of an archive from a registry, `h1` that of an unpacked package."""
    text = providers.LOCK_FILE.read_text()
    assert re.findall(r'^provider "(.+)" {$', text, re.MULTILINE) == [f"{HOST}/{providers.AWS}"]
    assert re.findall(r'^  (\w+) += "(.+)"$', text, re.MULTILINE) == [
        ("version", PROVIDER),
        ("constraints", PROVIDER),
    ]
    listed = re.findall(r'^    "(.+)",$', text, re.MULTILINE)
    unpacked = [each for each in listed if re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", each)]
    packed = [each for each in listed if re.fullmatch(r"zh:[0-9a-f]{64}", each)]
    assert listed == sorted(set(unpacked)) + sorted(set(packed))
    # A registry has checksums of every platform's archive and of a manifest.
    assert len(fetch.PINNED.checksums) <= len(unpacked) < len(packed)


def test_opentofu_and_an_overridden_provider_have_no_lock(tmp_path: Path) -> None:
    named = tmp_path / "named.rc"
    variables = {"TF_CLI_CONFIG_FILE": str(named)}
    terraform = Terraform(Path("terraform"), "1.11.4", tmp_path)
    named.write_text("")
    assert terraform.checks_lock_file({})
    assert terraform.checks_lock_file(variables)
    assert not Terraform(Path("tofu"), "1.10.0", tmp_path).checks_lock_file({})
    named.write_text('provider_installation {\n  dev_overrides {\n    "hashicorp/aws" = "/built"\n  }\n}\n')
    assert not terraform.checks_lock_file(variables)


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
