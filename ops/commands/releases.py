"""Release records: writing, listing, copying and restoring them."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env, ImageName, act_in_environment, image_in, releases_of
from ops.core.checkout import Checkout
from ops.core.clients import caller_account
from ops.core.console import complaints, console, for_people
from ops.core.errors import OpsError
from ops.github.role import act_in
from ops.releases.choice import chosen, commit_of, has_failed, previous
from ops.releases.records import IN_SERVICE, RECORDED, Recorded, Release
from ops.terraform.targets import environment_of
from stacks.reading import read_platform
from stacks.settings import Environment

app = typer.Typer()

From = Annotated[str | None, typer.Option("--from", help="Environment whose release is copied, such as dev.")]
To = Annotated[str | None, typer.Option("--to", help="Environment that gets it, such as staging.")]


@app.command()
@for_people
def release(
    env: Env = None,
    service: ImageName = "",
    image: Annotated[str, typer.Option("--image", help="<repository>@sha256:<digest>")] = "",
    commit: Annotated[
        str, typer.Option("--commit", help="Commit it was built from; by default what its tag says.")
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Record the image that a service runs, by digest."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    environment = environment_of(platform, env)
    service = image_in(platform.project, environment, service)
    unauthenticated = releases_of(platform, environment)
    if commit:
        unauthenticated.check(service, image, commit)
    else:
        unauthenticated.check_image(service, image)
    act_in_environment(platform, environment)
    releases = releases_of(platform, environment)
    commit = commit or commit_of(releases.kept_tags(image), image)
    changed = releases.record(service, image, commit)
    _print_result(environment, service, image, changed)


@app.command("releases")
@for_people
def list_releases(env: Env = None, service: ImageName = "", directory: Directory = HERE) -> None:
    """List the releases of a service and what became of them, the newest first."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    environment = environment_of(platform, env)
    service = image_in(platform.project, environment, service)
    act_in_environment(platform, environment)
    history = releases_of(platform, environment).history(service)
    if not history:
        console.print(f"{environment.name} {service}: never released.")
        return
    for line in _table(history):
        console.print(line)
    console.print("* is the current one. `make rollback ENV= TO=<version>` records a previous one again.")


@app.command()
@for_people
def promote(from_: From = None, to: To = None, service: ImageName = "", directory: Directory = HERE) -> None:
    """Record in one environment what another one's record names."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    source, target = environment_of(platform, from_, "FROM"), environment_of(platform, to, "TO")
    service = image_in(platform.project, target, service)
    act_in(platform.project, source.account_id, source.region)
    if (account := caller_account(source.region)) != source.account_id:
        raise OpsError(
            f"The AWS credentials in use are those of account {account}; {source.name} is in "
            f"account {source.account_id}. With that account's credentials, this command prints the "
            f"`make release` that does the same in {target.name}."
        )
    history = releases_of(platform, source).history(service)
    if not history or history[0].release is None:
        raise OpsError(f"{source.name} has no release of {service} that can be read; nothing to promote.")
    released, why = history[0].release, f"promoted from {source.name} version {history[0].version}"
    if has_failed(history, released.what):
        raise OpsError(
            f"{source.name} {service}: version {history[0].version} failed when it was last deployed, so it "
            f"is not promoted. {_other_promotion(source, target, service, history)}"
        )
    if released.state != IN_SERVICE:
        complaints.print(
            Text(
                f"{source.name} {service}: version {history[0].version} is {released.state}; it is not known "
                f"that it was in service. `make deploy ENV={source.name}` tests it.",
                "yellow",
            )
        )
    if target.account_id != source.account_id:
        act_in(platform.project, target.account_id, target.region)
        _require_target(source, target, service, released)
    changed = releases_of(platform, target).record(service, released.image, released.commit, why)
    _print_result(target, service, released.image, changed)


@app.command()
@for_people
def rollback(
    env: Env = None,
    service: ImageName = "",
    to: Annotated[
        str,
        typer.Option("--to", help="Version, commit or digest; by default the last one in service before."),
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Record a previous release of a service again."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    environment = environment_of(platform, env)
    service = image_in(platform.project, environment, service)
    act_in_environment(platform, environment)
    releases = releases_of(platform, environment)
    history = releases.history(service)
    if not history:
        raise OpsError(f"{environment.name} has no release of {service}; there is nothing to go back to.")
    found = chosen(history, to) if to else previous(history)
    if found is None:
        raise OpsError(
            f"{environment.name} has no release of {service} to go back to: none was in service before the "
            f"current one without failing later. `make releases ENV={environment.name}` lists all, and `make "
            f"rollback ENV={environment.name} TO=<version>` goes back to any of them."
        )
    version, restored = found
    if history[0].what == restored.what:
        raise OpsError(
            f"Version {version} is the release that is recorded now: {restored.image} of {restored.commit}. "
            f"`make releases ENV={environment.name}` lists the others."
        )
    if releases.tags(restored.image) is None:
        raise OpsError(
            f"Version {version} cannot be restored: the registry no longer has {restored.image}. "
            f"`make releases ENV={environment.name}` lists the others."
        )
    why = f"rollback to version {version}"
    releases.record(service, restored.image, restored.commit, why, history[0].version, restores=version)
    console.print(
        f"{environment.name} {service}: version {version} is recorded again, {restored.image} of "
        f"{restored.commit}. `make deploy ENV={environment.name}` deploys it."
    )


def _other_promotion(
    source: Environment, target: Environment, service: str, history: Sequence[Recorded]
) -> str:
    """Returns how to promote the last release that was in service, or where to look for one."""
    found = previous(history)
    if found is None:
        return f"None was in service before it: `make releases ENV={source.name}`."
    version, release = found
    return (
        f"Version {version} was the last one in service; this promotes it:\n"
        f"{_equivalent(target, service, release)}"
    )


def _equivalent(target: Environment, service: str, release: Release) -> str:
    return f"make release ENV={target.name} SERVICE={service} IMAGE={release.image} COMMIT={release.commit}"


def _require_target(source: Environment, target: Environment, service: str, released: Release) -> None:
    """Raises OpsError, with an equivalent command, unless the credentials belong to the target's account."""
    account = caller_account(target.region)
    if account != target.account_id:
        raise OpsError(
            f"The AWS credentials in use are those of account {account}, where {source.name} is; "
            f"{target.name} is in account {target.account_id}. With that account's credentials, this does "
            f"the same:\n{_equivalent(target, service, released)}"
        )


def _print_result(environment: Environment, service: str, image: str, changed: bool) -> None:
    console.print(
        f"{environment.name} {service}: {image} is recorded; `make deploy ENV={environment.name}` deploys it."
        if changed
        else f"{environment.name} {service}: unchanged."
    )


def _table(history: tuple[Recorded, ...]) -> list[Text]:
    """Returns a header line and a line for each version, with the current one marked.

    A version that only says what became of the one before it takes its line. AT is when the release
    got into its state.
    """
    undone = {each.release.undoes for each in history if each.release}
    rows = [("", "VERSION", "AT", "COMMIT", "DIGEST", "STATE", "BY", "WHY")]
    for newer, recorded in zip((None, *history), history, strict=False):
        if newer and newer.release and newer.release.state != RECORDED and newer.what == recorded.what:
            continue
        if found := recorded.release:
            digest = found.what.digest.removeprefix("sha256:")[:12]
            state = "undone" if recorded.version in undone else found.state
            what = (found.since or found.at, found.commit[:12], digest, state, found.by, found.why)
        else:
            what = ("cannot be read as a release record", "", "", "", "", "")
        rows.append(("" if newer else "*", str(recorded.version), *what))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        Text("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for row in rows
    ]
