"""Revisions of task definitions, which stay when Terraform replaces one, so that a rollback finds them."""

from typing import Any


def deregister_family(ecs: Any, family: str) -> int:
    """Deregister every active revision of a family; returns how many there were.

    Source: Amazon ECS API Reference, ListTaskDefinitions (whose prefix also finds longer names) and
    DeregisterTaskDefinition.
    """
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
    revisions = [
        arn
        for page in pages
        for arn in page["taskDefinitionArns"]
        if arn.rpartition("/")[2].rpartition(":")[0] == family
    ]
    for arn in revisions:
        ecs.deregister_task_definition(taskDefinition=arn)
    return len(revisions)
