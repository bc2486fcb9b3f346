"""The doctor's checks of Terraform: the executable, the provider's source and lock, and the synthesis."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ops.core.checkout import SOURCE, Checkout
from ops.look.doctor import Check, Finding
from ops.terraform import fetch, providers
from ops.terraform.binary import find_terraform

_LOCK: Final = re.compile(r'^provider "([^"]+)" \{\s*version\s*=\s*"([^"]+)"', re.MULTILINE)
_EXACT: Final = re.compile(r"=?\s*(\d+\.\d+\.\d+\S*)")


def terraform_checks(checkout: Checkout) -> tuple[Check, ...]:
    """Returns the checks of what plans and applies need."""
    return (
        Check("Terraform", terraform),
        Check("provider source", lambda: provider_source(checkout, os.environ)),
        Check("provider lock", lambda: provider_locks(checkout)),
        Check("synthesis", lambda: synthesis(checkout)),
    )


def terraform() -> Iterator[Finding]:
    """Reports whether a recent enough Terraform or OpenTofu was found."""
    found = fetch.find()
    if found is None:
        least = ".".join(map(str, fetch.MINIMUM))
        text = f"neither terraform nor tofu of version {least} or later is in .tools or on PATH"
        yield Finding("Terraform", "wrong", text, "make setup")
    else:
        yield Finding("Terraform", "ok", f"{found.version} ({found.path})")


def provider_source(checkout: Checkout, variables: Mapping[str, str]) -> Iterator[Finding]:
    """Reports whether the provider sources that variables name exist and hold what the stacks need."""
    name = "provider source"
    if configuration := variables.get("TF_CLI_CONFIG_FILE"):
        if Path(configuration).is_file():
            yield Finding(name, "ok", f"as TF_CLI_CONFIG_FILE={configuration} says")
            return
        text = (
            f"TF_CLI_CONFIG_FILE={configuration} is not a file; make's commands leave it out, terraform warns"
        )
        yield Finding(name, "note", text, "unset TF_CLI_CONFIG_FILE")
    mirror = variables.get("TF_PLUGIN_MIRROR")
    if not mirror:
        yield _unnamed_source(checkout, name)
        return
    held = list(Path(mirror).glob(f"*/{providers.AWS}/*"))
    version = _EXACT.fullmatch(_wanted(checkout).get(providers.AWS, ""))
    if not Path(mirror).is_dir():
        text, wrong = f"TF_PLUGIN_MIRROR={mirror} is not a directory", True
    elif not held:
        text, wrong = f"TF_PLUGIN_MIRROR={mirror} holds no {providers.AWS}: it comes from its registry", False
    elif version and not any(version[1] in path.name for path in held):
        text, wrong = f"TF_PLUGIN_MIRROR={mirror} does not hold {providers.AWS} {version[1]}", True
    else:
        yield Finding(name, "ok", f"the directory TF_PLUGIN_MIRROR={mirror}")
        return
    mend = "terraform providers mirror DIRECTORY fills one; or unset TF_PLUGIN_MIRROR"
    yield Finding(name, "wrong" if wrong else "note", text, mend)


def _unnamed_source(checkout: Checkout, name: str) -> Finding:
    """Reports where the provider comes from if no variable names a source."""
    if providers.own_configuration().exists():
        return Finding(name, "ok", f"as {providers.own_configuration()} says")
    terraform = find_terraform(checkout.state)
    if providers.answers(terraform.registry):
        return Finding(name, "ok", f"{terraform.registry}, which answers; kept in .oaktree/plugin-cache")
    if found := providers.find_mirror(terraform.registry, terraform.plugin_cache):
        return Finding(name, "ok", f"{found}, since {terraform.registry} cannot be reached")
    text = f"{terraform.registry} cannot be reached, and no mirror of it is on this machine"
    return Finding(name, "wrong", text, providers.HOW_TO_MIRROR)


def provider_locks(checkout: Checkout) -> Iterator[Finding]:
    """Reports whether lock files have the versions that the stacks require.

    Those of working directories count for OpenTofu only: for Terraform, `init` replaces them.
    """
    files = [checkout.state / "terraform.lock.hcl", *checkout.state.glob("*/*/.terraform.lock.hcl")]
    wanted = _wanted(checkout)
    others: dict[Path, str] = {}
    versions = set()
    for file in (providers.LOCK_FILE, *files):
        if not file.exists():
            continue
        for source, version in _LOCK.findall(file.read_text()):
            host, _, short = source.partition("/")
            if file != providers.LOCK_FILE and host == providers.HOSTS["terraform"]:
                continue
            versions.add(f"{short} {version}")
            pinned = _EXACT.fullmatch(wanted.get(short, ""))
            if pinned and pinned[1] != version:
                others[file] = f"{short} is locked at {version}, the stacks ask for {pinned[1]}"
    if others:
        mismatches = "; ".join(sorted(set(others.values())))
        renewed = f"renew {providers.LOCK_FILE} (docs/platform.md)"
        paths = " ".join(str(path) for path in others)
        mend = renewed if providers.LOCK_FILE in others else f"rm {paths} (the next plan writes it again)"
        yield Finding("provider lock", "wrong", mismatches, mend)
    else:
        yield Finding("provider lock", "ok", ", ".join(sorted(versions)))


def synthesis(checkout: Checkout) -> Iterator[Finding]:
    """Reports whether `cdktf.out` is newer than its sources; plan and apply synthesize again themselves."""
    manifest = checkout.synthesized / "manifest.json"
    if not manifest.exists():
        yield Finding("synthesis", "ok", "nothing synthesized yet; make plan does it")
        return
    written = manifest.stat().st_mtime
    newer = [file for file in _sources(checkout) if file.stat().st_mtime > written]
    if newer:
        more = f" and {len(newer) - 1} more" if len(newer) > 1 else ""
        text = f"cdktf.out is older than {newer[0].name}{more}; make plan writes it again"
        yield Finding("synthesis", "note", text, "make synth")
    else:
        yield Finding("synthesis", "ok", "cdktf.out is newer than its sources")


def _sources(checkout: Checkout) -> list[Path]:
    return [
        checkout.program,
        checkout.environments,
        *sorted(checkout.environments.glob("*.toml")),
        *sorted((SOURCE / "stacks").rglob("*.py")),
        *sorted((SOURCE / "webapp").rglob("*.py")),
    ]


def _wanted(checkout: Checkout) -> dict[str, str]:
    """Returns the synthesized stacks' version constraints by provider; empty before the first synthesis.

    A source without a namespace is HashiCorp's. Source: Terraform's documentation, "Provider Requirements".
    """
    wanted: dict[str, str] = {}
    for file in checkout.synthesized.glob("stacks/*/cdk.tf.json"):
        providers = json.loads(file.read_text())["terraform"]["required_providers"]
        for each in providers.values():
            source = each["source"].lower()
            wanted[source if "/" in source else f"hashicorp/{source}"] = each["version"]
    return wanted
