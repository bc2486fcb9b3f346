"""Telling a plan from the other JSON that Terraform writes, and from JSON of others."""

import re
from collections.abc import Mapping
from typing import Any, Final

SHOW: Final = "write the plan with `terraform plan -out=tfplan` and `terraform show -json tfplan`"
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
    """Whether this says which format it has, as what `terraform show -json` writes does."""
    return "format_version" in document or "plan_format_version" in document


def not_a_plan(document: Mapping[str, Any]) -> str | None:
    """Why a document is no plan that can be read, and what to do; None if it is one."""
    version = document.get("format_version")
    kind = _kind(document)
    if kind:
        return f"is {kind}; {SHOW}"
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        return f"has no format version such as 1.2, so it is no plan of Terraform's; {SHOW}"
    if version.split(".")[0] not in MAJORS:
        return f"has format version {version}, but only 0.x and 1.x can be read; use a review that knows it"
    if not any(key in document for key in OF_PLANS):
        return f"is what `terraform show -json` says without a plan file; {SHOW}"
    return None


def _kind(document: Mapping[str, Any]) -> str | None:
    if "@level" in document and "@message" in document:
        return "the log of `terraform plan -json`, not a plan"
    if "format_version" not in document:
        if "plan_format_version" in document:
            return "HCP Terraform's redacted form of a plan, without what a review needs"
        if "lineage" in document or ("serial" in document and "terraform_version" in document):
            return "a state file, not a plan"
        return "JSON, but not a plan of Terraform's"
    if "resource_changes" in document:
        return None
    if "values" in document:
        return "a state as `terraform show -json` writes it, not a plan"
    if "provider_schemas" in document:
        return "the schemas of providers, not a plan"
    if "diagnostics" in document and "valid" in document:
        return "what `terraform validate -json` says, not a plan"
    return None
