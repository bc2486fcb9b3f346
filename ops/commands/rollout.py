"""Deploying: the first time, a release, and testing what is deployed."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.shared import (
    HERE,
    Directory,
    Env,
    Images,
    Service,
    act_in_environment,
    image_in,
    images_in,
    releases_of,
    service_in,
)
from ops.core.checkout import Checkout
from ops.core.clients import require_account
from ops.core.console import console, for_people, print_line
from ops.core.ecs import Image
from ops.core.errors import OpsError, UsageError
from ops.core.progress import Progress
from ops.github.oidc_provider import missing_ids
from ops.local.stand_in import stand_in
from ops.releases.choice import commit_of
from ops.rollout.bootstrap import Bootstrap
from ops.rollout.deploy import Order, deploy
from ops.rollout.deployed import Deployed
from ops.rollout.smoke import SECONDS, checked_address
from ops.rollout.verify import require_balanced, verify
from ops.terraform.targets import environment_of
from stacks.images import services_by_image
from stacks.naming import how_to_find_ids, repository_name
from stacks.reading import read_platform
from stacks.settings import Environment, Platform, Project
from stacks.workloads import workload

app = typer.Typer()

Address = Annotated[
    str, typer.Option("--address", help="Where the service answers; by default its own address.")
]


@app.command("deploy")
@for_people
def deploy_command(
    env: Env = None,
    service: Annotated[
        str, typer.Option("--service", help="Service, such as web; all of the environment by default.")
    ] = "",
    image: Annotated[
        str, typer.Option("--image", help="Image to record first: <repository>@sha256:<digest>")
    ] = "",
    images: Images = "",
    commit: Annotated[
        str, typer.Option("--commit", help="Commit it was built from; by default what its tag says.")
    ] = "",
    bake: Annotated[
        float, typer.Option("--bake", min=0, help="Minutes to watch the alarms after the smoke test.")
    ] = 0.0,
    limit: Annotated[
        float, typer.Option("--timeout", min=0, help="Minutes to wait for ECS, for each service.")
    ] = 20.0,
    address: Address = "",
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Deploy a commit that is older than the recorded one, too.")
    ] = False,
    verdict: Annotated[
        Path | None, typer.Option("--verdict", help="A review's verdict.json, which the plan has to match.")
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Deploy what is recorded, wait for it and test it; undo it when it does not work."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    project = platform.project
    services = _services(project, environment, service)
    if len(services) > 1 and address:
        raise UsageError(f"SERVICE is missing: ADDRESS= needs one service. Use one of {', '.join(services)}.")
    _refuse_both(image, images)
    if commit and not image and not images:
        raise UsageError("IMAGE is missing: COMMIT= names the commit that an image was built from.")
    if address:
        address = checked_address(address)
        for each in services:
            require_balanced(workload(project, environment, each))
    ordered: dict[str, str] = {}
    if image:
        ordered = {image_in(project, environment, service): image}
    elif images:
        ordered = images_in(project, environment, images)
    users = services_by_image(project, environment)
    if others := [name for name in ordered if not set(services).intersection(users[name])]:
        raise UsageError(f"IMAGES= has images of other services than SERVICE=: {', '.join(others)}.")
    for name, each in ordered.items():
        releases_of(platform, environment).check(name, each, commit or "0000000")
    act_in_environment(platform, environment)
    releases = {
        name: Image(each, commit or _commit(platform, environment, each)) for name, each in ordered.items()
    }
    order = Order(services, releases, bake * 60, limit * 60, address, allow_older)
    require = None
    if verdict is not None:
        from ops.github.reviewing import require_reviewed

        require = partial(require_reviewed, verdict)

    def say(line: str) -> None:
        console.print(Text(line))

    deploy(checkout, platform, environment, order, Progress(console), say, require)


@app.command()
@for_people
def bootstrap(
    env: Env = None,
    image: Annotated[
        str, typer.Option("--image", help="First image by digest; by default the working tree's is built.")
    ] = "",
    images: Images = "",
    commit: Annotated[
        str, typer.Option("--commit", help="Commit it was built from; by default what its tag says.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Continue without asking.")] = False,
    directory: Directory = HERE,
) -> None:
    """Bring an environment up for the first time, from an empty account; resume where it stopped."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    given = _given(platform.project, environment, image, images)
    require_account(environment.account_id, environment.region)
    first = Bootstrap(checkout, platform, environment, Progress(console), given, commit)
    console.print(f"{environment.name}, in account {environment.account_id}, {environment.region}:")
    for step in first.steps(print_line):
        mark, style = ("there", "green") if step.done else ("to do", "yellow")
        console.print(Text.assemble("  ", (mark, style), f"  {step.name}: {step.what}"))
    if told := missing_ids(platform.project):
        told += f"; {how_to_find_ids(platform.project)}."
        console.print(Text.assemble("  ", ("note ", "yellow"), f"  {told}"))
    if not yes:
        _ask(environment.name)
    addresses = first.run()
    console.print(
        f"\n{environment.name} is deployed. `make status ENV={environment.name}` shows its services."
    )
    for service, address in addresses.items():
        console.print(Text.assemble(f"{environment.name} {service}: ", (address, "bold")))
    # Not where the apps run on this machine: the embedded AWS sends no mail.
    alarms = environment.alarms
    if (emails := sorted({*alarms.emails, *alarms.on_call})) and not addresses:
        # Source: Amazon SNS Developer Guide, "Deleting an Amazon SNS topic and subscription".
        told = (
            f"AWS sends alarms to {', '.join(emails)} once somebody follows the link in the message it sent "
            "there; it deletes a subscription that nobody confirms within 48 hours."
        )
        console.print(Text(told))


@app.command()
@for_people
def smoke(
    env: Env = None,
    service: Service = "",
    address: Address = "",
    limit: Annotated[
        float, typer.Option("--timeout", min=0, help="Minutes to wait for good answers.")
    ] = SECONDS / 60,
    directory: Directory = HERE,
) -> None:
    """Ask a deployed service whether it works and is the release that is recorded."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    service = service_in(environment, service)
    if environment.services[service].kind == "job":
        raise UsageError(f"{service} is a job: it has no tasks that stay, so there is nothing to test.")
    if address:
        address = checked_address(address)
        require_balanced(workload(platform.project, environment, service))
    act_in_environment(platform, environment)
    deployed = Deployed(platform.project, environment, service)
    image = None
    if name := deployed.released:
        recorded = releases_of(platform, environment).current(name)
        if recorded is None:
            raise OpsError(f"{environment.name} has no release of {name} yet. `make deploy` makes one.")
        image = recorded.what
    here = stand_in(checkout, platform.project, environment)
    with Progress(console).phase(f"smoke test {service}") as phase:
        verify(deployed, image, address, here, phase, limit * 60)


def _services(project: Project, environment: Environment, name: str) -> tuple[str, ...]:
    """Returns the services that `SERVICE=` names: one, those that run an image, or without a name all."""
    if not name:
        return tuple(environment.services)
    if users := services_by_image(project, environment).get(name):
        return (name,) if name in environment.services else users
    return (service_in(environment, name),)


def _given(project: Project, environment: Environment, image: str, images: str) -> dict[str, str]:
    """Returns the images of `IMAGES=` by name, or that of `IMAGE=`, whose repository says which one it is."""
    _refuse_both(image, images)
    if images:
        return images_in(project, environment, images)
    names = list(services_by_image(project, environment)) if image else []
    path = image.partition("@")[0].partition("/")[2]
    # What is in none of the repositories is refused as the image of the first one.
    of_repository = [name for name in names if repository_name(project, name) == path]
    return dict.fromkeys((of_repository or names)[:1], image)


def _refuse_both(image: str, images: str) -> None:
    if image and images:
        raise UsageError("IMAGE= and IMAGES= are both given. Use one of them.")


def _commit(platform: Platform, environment: Environment, image: str) -> str:
    """Returns the commit that an image's tags name."""
    tags = releases_of(platform, environment).tags(image)
    # `record` raises the error if the image does not exist.
    return "0000000" if tags is None else commit_of(tags, image)


def _ask(name: str) -> None:
    try:
        typed = input("Type the environment's name to go on: ").strip()
    except EOFError:
        raise OpsError("Nobody answered; nothing was done. YES=1 goes on without asking.") from None
    if typed != name:
        raise OpsError(f"{typed!r} is not the environment's name; nothing was done.")
