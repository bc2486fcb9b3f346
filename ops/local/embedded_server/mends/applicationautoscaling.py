"""Tags of scalable targets, which moto's Application Auto Scaling lacks.

The Terraform provider reads and writes them with every `aws_appautoscaling_target`, and without
them retries for minutes. Source of the actions and their errors: Application Auto Scaling API
Reference, ListTagsForResource, TagResource, UntagResource, RegisterScalableTarget.
"""

import json

from moto.applicationautoscaling.models import FakeScalableTarget
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from ops.local.embedded_server.patching import kept, patch

_register_scalable_target = ApplicationAutoScalingResponse.register_scalable_target


def mend() -> None:
    """Adds the missing actions."""
    patch(
        ApplicationAutoScalingResponse,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
        register_scalable_target,
    )


def list_tags_for_resource(response: ApplicationAutoScalingResponse) -> str:
    """Application Auto Scaling's ListTagsForResource."""
    return json.dumps({"Tags": _tags(_target(response))})


def tag_resource(response: ApplicationAutoScalingResponse) -> str:
    """Application Auto Scaling's TagResource."""
    _tags(_target(response)).update(response._get_param("Tags"))
    return json.dumps({})


def untag_resource(response: ApplicationAutoScalingResponse) -> str:
    """Application Auto Scaling's UntagResource."""
    tags = _tags(_target(response))
    for key in response._get_param("TagKeys"):
        tags.pop(key, None)
    return json.dumps({})


def register_scalable_target(response: ApplicationAutoScalingResponse) -> str:
    """moto's RegisterScalableTarget, which forgets the tags it is given."""
    answer = _register_scalable_target(response)
    if tags := response._get_param("Tags"):
        _tags(_find(response, json.loads(answer)["ScalableTargetARN"])).update(tags)
    return answer


def _target(response: ApplicationAutoScalingResponse) -> FakeScalableTarget:
    return _find(response, response._get_param("ResourceARN"))


def _find(response: ApplicationAutoScalingResponse, arn: str) -> FakeScalableTarget:
    for targets in response.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise JsonRESTError("ResourceNotFoundException", f"No scalable target has the ARN {arn}.")


def _tags(target: FakeScalableTarget) -> dict[str, str]:
    # Kept on the target itself, so that they go when it is deregistered.
    return kept(target, "resource_tags", {})
