"""What commands share: options, credentials, the choice of a service, release records."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.core.clients import ambient_client, require_account
from ops.core.errors import UsageError
from ops.github.role import act_in
from ops.releases.records import Releases
from stacks import kinds
from stacks.images import Image, images, services_by_image
from stacks.settings import Environment, Platform, Project

Env = Annotated[str | None, typer.Option("--env", help="Environment, such as dev.")]
Stack = Annotated[str | None, typer.Option("--stack", help=f"One of {', '.join(kinds.BY_NAME)}.")]
Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        envvar="DIRECTORY",
        help="Where environments/ is and .oaktree/ goes.",
        show_default=False,
    ),
]
Service = Annotated[str, typer.Option("--service", help="Service, such as web; the only one by default.")]
Commit = Annotated[str, typer.Option("--commit", help="The image's tag; by default that of the tree.")]
Images = Annotated[
    str,
    typer.Option(
        "--images", help="Images of services as JSON, or a file with it: what image-publish prints."
    ),
]
ImageName = Annotated[
    str,
    typer.Option("--service", help="Image: a service, or <service>.<sidecar>; the only one by default."),
]
HERE: Final = Path()


def act_in_account(platform: Platform, account_id: str, region: str) -> None:
    """Acts in an account from here on: in a workflow with its role.

    Raises OpsError if the credentials belong to another account, or AWS refuses them.
    """
    act_in(platform.project, account_id, region)
    require_account(account_id, region)


def act_in_environment(platform: Platform, environment: Environment) -> None:
    """Acts in an environment's account from here on: in a workflow with its role.

    Raises OpsError if the credentials belong to another account.
    """
    act_in_account(platform, environment.account_id, environment.region)


def releases_of(platform: Platform, environment: Environment) -> Releases:
    """Returns an environment's release records, read and written with the ambient credentials."""
    ssm = ambient_client("ssm", environment.region)
    return Releases(platform.project, environment, ssm, ambient_client("ecr", platform.project.region))


def images_in(project: Project, environment: Environment, images: str) -> dict[str, str]:
    """Returns the images of `IMAGES=` by name: JSON as `make image-publish` prints it, or a file with that.

    Leaves out those that the environment does not have. Raises UsageError if `images` is something else,
    or has none of an environment that has images.
    """
    form = '{"<service>": "<repository>@sha256:<digest>"}'
    try:
        content = json.loads(images if images.lstrip().startswith("{") else Path(images).read_text())
    except OSError as error:
        raise UsageError(
            f"IMAGES={images} is neither JSON of the form {form} nor a file with that: {error.strerror}."
        ) from None
    except ValueError:
        raise UsageError(f"IMAGES={images} is not JSON of the form {form}.") from None
    if not isinstance(content, dict) or not all(isinstance(image, str) for image in content.values()):
        raise UsageError(f"IMAGES={images} does not have the form {form}.")
    known = services_by_image(project, environment)
    found = {name: image for name, image in content.items() if name in known}
    if known and not found:
        raise UsageError(f"IMAGES={images} has no image of {environment.name}: {', '.join(known)}.")
    return found


def service_in(environment: Environment, service: str) -> str:
    """Returns the environment's service of that name, or without a name the only one.

    Raises UsageError, with the known services, if there is no such service or no single one.
    """
    return _chosen(list(environment.services), service, f"a service of {environment.name}")


def image_in(project: Project, environment: Environment, name: str) -> str:
    """Returns the environment's image of that name, or without a name the only one.

    Raises UsageError, with the known images, if there is no such image or no single one.
    """
    return _image(
        [environment], list(services_by_image(project, environment)), name, f" of {environment.name}"
    )


def source_of(platform: Platform, name: str) -> Image:
    """Returns what the image of that name is built from, in any environment, or without a name the only one.

    Raises UsageError, with the known images, if there is no such image or no single one.
    """
    environments = list(platform.environments.values())
    built = {image.name: image for environment in environments for image in images(environment)}
    return built[_image(environments, sorted(built), name)]


def _image(environments: Sequence[Environment], known: Sequence[str], name: str, of: str = "") -> str:
    if name and name not in known:
        for environment in environments:
            service = environment.services.get(name)
            if service and service.same_image_as:
                raise UsageError(
                    f"{name} runs the image of {service.same_image_as}: SERVICE={service.same_image_as}."
                )
            if service and service.image:
                raise UsageError(
                    f"{name} runs a third-party image, {service.image}, which the settings pin: there is "
                    "nothing to build or to release."
                )
    return _chosen(known, name, f"the name of an image{of}")


def _chosen(known: Sequence[str], service: str, what: str) -> str:
    if not service and len(known) == 1:
        return known[0]
    if service in known:
        return service
    missing = f"SERVICE={service} is not {what}" if service else "SERVICE is missing"
    raise UsageError(f"{missing}. Use one of {', '.join(known)}.")
