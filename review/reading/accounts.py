"""Reads which AWS accounts a plan's resources are in, from what it does not change."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from review.reading.structure import modules_of_values, object_in, objects_in, text_in

_ARN: Final = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")
_NUMBER: Final = re.compile(r"\d{12}")


def accounts_of(document: Mapping[str, Any]) -> frozenset[str]:
    """Returns the accounts of managed resources that are there, and of `data.aws_caller_identity`."""
    return frozenset((*_of_resources(document), *_of_callers(document)))


def _of_resources(document: Mapping[str, Any]) -> Iterator[str]:
    for place, item in objects_in(document, "resource_changes"):
        before = object_in(item.get("change"), f"{place}.change").get("before")
        arn = before.get("arn") if isinstance(before, dict) and item.get("mode") != "data" else None
        if isinstance(arn, str) and (match := _ARN.match(arn)):
            yield match[1]


def _of_callers(document: Mapping[str, Any]) -> Iterator[str]:
    prior = object_in(document.get("prior_state"), "prior_state")
    for module in modules_of_values(prior.get("values"), "prior_state.values"):
        for place, resource in objects_in(module, "resources", "prior_state"):
            if text_in(resource, "type", place) == "aws_caller_identity":
                number = object_in(resource.get("values"), f"{place}.values").get("account_id")
                if isinstance(number, str) and _NUMBER.fullmatch(number):
                    yield number
