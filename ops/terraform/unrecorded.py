"""Plans releases that are not recorded yet, so that somebody can look before they are."""

import json
from collections.abc import Mapping
from typing import Any

from ops.core.ecs import Image
from stacks.naming import release_local, release_parameter
from stacks.settings import Environment, Project


def with_releases(
    configuration: bytes, project: Project, environment: Environment, releases: Mapping[str, Image]
) -> bytes:
    """Returns a service stack's Terraform JSON with these releases in place of the recorded ones.

    `releases` are by service, and their records are not required to exist. Nothing else changes, so a
    plan of it does what a plan does once they are recorded.
    """
    content: dict[str, Any] = json.loads(configuration)
    for service, image in releases.items():
        content["locals"][release_local(service)] = {"image": image.image, "commit": image.commit}
        _require_no_record(content, release_parameter(project, environment.name, service))
    return json.dumps(content, indent=2).encode()


def _require_no_record(content: dict[str, Any], parameter: str) -> None:
    """Removes the conditions that a stack has on a parameter."""
    for source in content["data"]["aws_ssm_parameters_by_path"].values():
        lifecycle = source.get("lifecycle", {})
        lifecycle["postcondition"] = [
            condition
            for condition in lifecycle.get("postcondition", ())
            if f'"{parameter}"' not in condition["condition"]
        ]
