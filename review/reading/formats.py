"""Tells whole plans from other JSON that Terraform and its tools write."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from review.reading.entries import Entry
from review.reading.secret_detection import redact
from review.reading.structure import PlanError, modules_of_values, object_in

SHOW: Final = "write the plan with `terraform plan -out=tfplan` and `terraform show -json tfplan`"
REDACTED_PLAN: Final = f"it is incomplete, or was redacted; {SHOW}"
VERSION: Final = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}", re.ASCII)
MAJORS: Final = ("0", "1")
"""Source: Terraform's documentation, "JSON Output Format": minor versions only add, and a reader refuses
major versions it does not know."""

OF_PLANS: Final = (
    "resource_changes",
    "planned_values",
    "output_changes",
    "configuration",
    "resource_drift",
    "deferred_changes",
    "applyable",
)


def is_versioned(document: Mapping[str, Any]) -> bool:
    """Returns whether a document states its format, as the output of `terraform show -json` does."""
    return "format_version" in document or "plan_format_version" in document


def not_a_plan(document: Mapping[str, Any]) -> str | None:
    """Returns why a document is not a readable plan, and what to do; None if it is one."""
    version = document.get("format_version")
    kind = _kind(document)
    if kind:
        return f"is {kind}; {SHOW}"
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        return f"has no format version such as 1.2, so it is not a Terraform plan; {SHOW}"
    if version.split(".")[0] not in MAJORS:
        return f"has format version {version}, but only 0.x and 1.x can be read; use a review that knows it"
    if not any(key in document for key in OF_PLANS):
        return f"is the output of `terraform show -json` without a plan file; {SHOW}"
    return None


def _kind(document: Mapping[str, Any]) -> str | None:
    if "@level" in document and "@message" in document:
        return "the log of `terraform plan -json`, not a plan"
    if "format_version" not in document:
        if "plan_format_version" in document:
            return "HCP Terraform's redacted form of a plan, without what a review needs"
        if "lineage" in document or ("serial" in document and "terraform_version" in document):
            return "a state file, not a plan"
        return "JSON, but not a Terraform plan"
    if "resource_changes" in document:
        return None
    if "values" in document:
        return "a state as `terraform show -json` writes it, not a plan"
    if "provider_schemas" in document:
        return "the schemas of providers, not a plan"
    if "diagnostics" in document and "valid" in document:
        return "what `terraform validate -json` says, not a plan"
    return None


def is_partial(document: Mapping[str, Any], entries: Sequence[Entry]) -> bool:
    """Returns whether a plan leaves out a resource of the state, as one of a part (`-target`) does.

    Terraform before 1.8 and OpenTofu do not say that of it. Raises PlanError if it shows that resources come
    or go of which it has no change: Terraform makes `planned_values` from the changes, so it was shortened. A
    refresh-only plan has neither; it has drift, or says that there is nothing to apply.
    """
    if document.get("complete") is False or document.get("errored") is True:
        return False
    prior = object_in(document.get("prior_state"), "prior_state")
    planned = set(_addresses(document.get("planned_values"), "planned_values"))
    former = set(_addresses(prior.get("values"), "prior_state.values")) - {""}
    changed = {address for each in entries for address in (each.address, each.previous_address)} - {""}
    if changed:
        if come := planned - former - changed - {""}:
            raise PlanError(
                f"has {redact(min(come))} in planned_values alone, and no change of it: {REDACTED_PLAN}"
            )
        return bool(former - planned - changed)
    if entries:
        return False
    if planned:
        raise PlanError(f"has resources in planned_values, but no resource_changes: {REDACTED_PLAN}")
    if former and document.get("applyable") is not False and not document.get("resource_drift"):
        raise PlanError(
            f"has {redact(min(former))} in prior_state alone, and no change of it: {REDACTED_PLAN}"
        )
    return False


def _addresses(values: object, place: str) -> Iterator[str]:
    """Yields the addresses of the managed resources in a values representation."""
    for module in modules_of_values(values, place):
        resources = module.get("resources")
        for each in resources if isinstance(resources, list) else ():
            if isinstance(each, dict) and each.get("mode") != "data":
                yield str(each.get("address") or "")
