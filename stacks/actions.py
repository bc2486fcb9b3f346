"""Which actions AWS has, and which no service may have. Source: AWS Service Authorization Reference."""

from fnmatch import fnmatchcase
from typing import Final

from policy_sentry.querying.actions import get_actions_for_service
from policy_sentry.querying.all import get_all_service_prefixes

from stacks.problems import nearest

NEVER: Final = frozenset({"iam", "organizations", "account"})
"""Prefixes of actions that the boundary of all services refuses, whatever a service's settings say."""


def problem_with(action: str) -> str | None:
    """Returns what is wrong with an action, which may have wildcards; None if a service can have it."""
    prefix, _, name = action.partition(":")
    if prefix in NEVER:
        return f"no action of {prefix}: a service that could do it could give itself every right"
    if prefix not in get_all_service_prefixes():
        return f"an action of AWS; {prefix!r} is none of its services: {nearest(prefix, _like(prefix))}"
    known = get_actions_for_service(prefix)
    # IAM does not tell capitals from small letters.
    if any(fnmatchcase(each.partition(":")[2].lower(), name.lower()) for each in known):
        return None
    return f"an action of AWS; {nearest(action, _similar(action, known))}"


def _like(prefix: str) -> list[str]:
    return [each for each in get_all_service_prefixes() if each[0] == prefix[0]]


def _similar(action: str, known: list[str]) -> list[str]:
    """Keeps a list for a person short: those of the same verb, or all if there are few."""
    verb = action.partition(":")[2][:3].lower()
    return [each for each in known if each.partition(":")[2].lower().startswith(verb)] or known[:20]
