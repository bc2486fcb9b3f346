"""What an ECR lifecycle policy expires.

Source: Amazon ECR User Guide, "Automate the cleanup of images by using lifecycle policies" and
"Lifecycle policy properties":

- Rules apply by `rulePriority`, the lowest first; a rule for `any` image comes last.
- A rule selects images without a tag, or with tags, or any. Of several prefixes or patterns an image
  needs a tag for each.
- `sinceImagePushed` expires what is older than a number of days, `imageCountMoreThan` what is beyond
  a number of images, counted from the youngest.
- An image whose tags a rule selects is never expired by a rule that comes later.
- An image that an index refers to does not expire as long as the index is there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

_SELECTION: Final = {"tagStatus", "tagPrefixList", "tagPatternList", "countType", "countUnit", "countNumber"}
_RULE: Final = {"rulePriority", "description", "selection", "action"}


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest in a repository. `pushed` is in days; `children` are the digests an index refers to."""

    digest: str
    pushed: float
    tags: frozenset[str] = frozenset()
    children: tuple[str, ...] = ()


def expired(policy: str, images: Mapping[str, Image], today: float) -> set[str]:
    """The digests that a policy expires on a day, of a repository's images by digest.

    ValueError when the policy says something that is not told here.
    """
    referred = {child for image in images.values() for child in image.children}
    gone: set[str] = set()
    settled: set[str] = set()
    for rule in _rules(policy):
        selection = rule["selection"]
        matching = [image for image in images.values() if _selects(selection, image)]
        marked = {image.digest for image in _beyond(selection, matching, today)}
        gone |= marked - settled
        settled |= {image.digest for image in matching}
    return gone - referred


def _rules(policy: str) -> list[dict[str, Any]]:
    rules = sorted(json.loads(policy)["rules"], key=lambda rule: rule["rulePriority"])
    for rule in rules:
        selection = rule["selection"]
        if unknown := rule.keys() - _RULE | selection.keys() - _SELECTION:
            raise ValueError(f"unknown in a rule: {', '.join(sorted(unknown))}")
        if rule["action"] != {"type": "expire"}:
            raise ValueError(f"unknown action: {rule['action']}")
    if len({rule["rulePriority"] for rule in rules}) != len(rules):
        raise ValueError("two rules of one priority")
    if any(rule["selection"]["tagStatus"] == "any" for rule in rules[:-1]):
        raise ValueError("a rule for any image has to come last")
    return rules


def _selects(selection: Mapping[str, Any], image: Image) -> bool:
    match selection["tagStatus"]:
        case "any":
            return True
        case "untagged":
            return not image.tags
        case "tagged":
            patterns = [
                *(f"{prefix}*" for prefix in selection.get("tagPrefixList", ())),
                *selection.get("tagPatternList", ()),
            ]
            if not patterns:
                raise ValueError("a rule for tagged images names no tags")
            return all(any(fnmatchcase(tag, pattern) for tag in image.tags) for pattern in patterns)
        case other:
            raise ValueError(f"unknown tagStatus: {other}")


def _beyond(selection: Mapping[str, Any], matching: list[Image], today: float) -> list[Image]:
    number: int = selection["countNumber"]
    match selection["countType"], selection.get("countUnit"):
        case "sinceImagePushed", "days":
            return [image for image in matching if today - image.pushed > number]
        case "imageCountMoreThan", None:
            return sorted(matching, key=lambda image: image.pushed, reverse=True)[number:]
        case other:
            raise ValueError(f"unknown count: {other}")
