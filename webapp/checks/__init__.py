"""The checks of the AWS services that the app uses, one per file; the rest of the app derives from `CHECKS`.

To add one, write its file, add its name to `ServiceName`, and add it to `CHECKS` and, if it has variables, to
`CheckVariables`.
"""

from collections.abc import Mapping
from typing import Final

from webapp.checks import cloudwatch, dynamodb, ecr, ecs, logs, sts
from webapp.services import Check, ServiceName

CHECKS: Final = (dynamodb.CHECK, ecs.CHECK, ecr.CHECK, cloudwatch.CHECK, logs.CHECK, sts.CHECK)
"""In the order of `ServiceName`."""

BY_NAME: Final[Mapping[ServiceName, Check]] = {check.name: check for check in CHECKS}


class CheckVariables(
    logs.LogVariables, cloudwatch.AlarmVariables, ecs.TaskVariables, dynamodb.TableVariables
):
    """The environment variables that checks read. Pydantic orders fields from the last base to the first."""
