"""The tables of attributes: known to the provider, complete for what this project writes, with sources."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.terraform import providers
from ops.terraform.binary import find_terraform
from review.checks import TableError
from review.flags.attributes import changed_paths
from review.model import Action
from review.reading.stacks import read_stacks
from review.table import default_table, extended
from tests.stacks.conftest import synthesized
from tests.stacks.platform_files import environment
from tests.stacks.terraform_json import stacks_of_tests
from tests.stacks.test_every_kind import SETTINGS

TABLE = default_table()
PLANS = Path(__file__).with_name("plans")
CASES = Path(__file__).with_name("cases")
TO_BE_JUDGED = 0.95


def test_every_row_that_is_not_harmless_has_a_source() -> None:
    assert [name for name, meaning in TABLE.means.items() if not meaning.source] == []
    assert [name for name, kind in TABLE.types.items() if kind.deleted and not kind.deleted.source] == []


def test_every_meaning_is_used() -> None:
    used = {
        id(case.meaning)
        for kind in (*TABLE.types.values(), *TABLE.every)
        for cases in kind.rows.values()
        for case in cases
    } | {id(meaning) for kind in TABLE.types.values() for meaning in kind.joins.values()}
    assert [name for name, meaning in TABLE.means.items() if id(meaning) not in used] == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"means": {"a": {"concern": "fire"}}}, "means.a.title is missing"),
        ({"means": {"a": {"concern": "fire", "title": "A", "reason": "B"}}}, "use data_loss, permission"),
        (
            {"means": {"a": {"concern": "cost", "title": "A", "reason": "B", "weight": 101}}},
            "weight = 101: must be a whole number from 0 to 100",
        ),
        ({"means": {"a": {"wait": 1}}}, "means.a.wait: no such key"),
        ({"types": {"x": {"size": "mystery"}}}, "types.x.size = 'mystery': not a meaning"),
        ({"types": {"x": {"size": {"bigger": "harmless"}}}}, "condition 'bigger': use added, any"),
        ({"types": {"x": {"deleted": {"weight": 3}}}}, "give one of holds, stops, guards, revision"),
        ({"types": {"x": {"same_as": "y"}}}, "no such type stands above"),
        ({"types": []}, "types = []: must be a table"),
        ({"names": "tasks"}, "names = 'tasks': must be a table"),
        ({"units": {"size": 1}}, "units.size = 1: must be a text"),
        ({"points": {"Made public": "high"}}, "points.Made public = 'high': must be a whole number"),
    ],
)
def test_a_wrong_table_is_told_with_its_place(document: dict[str, Any], words: str) -> None:
    with pytest.raises(TableError) as caught:
        extended(TABLE, document, "review.toml")
    assert str(caught.value).startswith("review.toml: ")
    assert words in str(caught.value)


def test_the_longest_row_decides() -> None:
    found = TABLE.find("aws_lb", ("access_logs", "enabled"))
    assert found is not None
    assert found[0] == ("access_logs", "enabled")
    assert TABLE.find("aws_lb", ("colour",)) is None
    assert TABLE.find("google_thing", ("tags",)) is None


def test_most_changed_attributes_of_plans_and_cases_are_judged(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[bool] = Counter()
    files = [*sorted(PLANS.iterdir()), *sorted(CASES.glob("*.json"))]
    for stack in (each for file in files for each in read_stacks([file])):
        for each in stack.plan.changes if stack.plan else ():
            if each.is_data or each.action in (Action.DELETE, Action.FORGET):
                continue
            sides = [side if isinstance(side, dict) else {} for side in (each.before, each.after)]
            counts.update(
                TABLE.find(each.type, path) is not None for path in changed_paths(sides[0], sides[1])
            )
    share = counts[True] / counts.total()
    with capsys.disabled():
        print(f"\n{share:.1%} of {counts.total():,} changed attributes of plans and cases are judged")
    assert share > TO_BE_JUDGED


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The resource types of the AWS provider, from Terraform itself."""
    directory = tmp_path_factory.mktemp("schema")
    terraform = find_terraform(directory / "shared")
    required = {"source": providers.AWS, "version": "5.100.0"}
    document = {"terraform": {"required_providers": {"aws": required}}}
    (directory / "main.tf.json").write_text(json.dumps(document))
    for arguments in (("init", "-input=false"), ("providers", "schema", "-json")):
        terraform.run(arguments, directory=directory, log=directory / "log", environment=os.environ)
    (provider,) = json.loads((directory / "log").read_text())["provider_schemas"].values()
    resources: dict[str, Any] = provider["resource_schemas"]
    return resources


def leaves(block: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of a block's attributes, and of those of its blocks."""
    for name in block.get("attributes", {}):
        yield (*path, name)
    for name, each in block.get("block_types", {}).items():
        yield from leaves(each["block"], (*path, name))


def test_the_attributes_of_the_table_are_the_providers(schema: dict[str, Any]) -> None:
    wrong = []
    for name, kind in TABLE.types.items():
        if not name.startswith("aws_") or name not in schema:
            continue
        known = {
            path[:length] for path in leaves(schema[name]["block"]) for length in range(1, len(path) + 1)
        }
        # Maps and lists of objects are attributes; what is within them is not in the schema.
        wrong += [(name, path) for path in kind.rows if path not in known and path[:1] not in known]
    assert wrong == []
    general = {path for kind in TABLE.every if kind.prefix == "aws_" for path in kind.rows}
    every = {path[:1] for each in schema.values() for path in leaves(each["block"])}
    assert [path for path in general if path[:1] not in every] == []


def test_every_attribute_of_every_type_that_the_stacks_write_is_judged(
    schema: dict[str, Any], tmp_path: Path
) -> None:
    written = {kind for stack in stacks_of_tests().values() for kind in stack.content.get("resource", {})}
    # With a firewall, a domain, queues, jobs, stores of every kind.
    every = synthesized(tmp_path, dev=environment(services=SETTINGS))
    written |= {kind for stack in every.values() for kind in stack.content.get("resource", {})}
    plans = (each for path in sorted(PLANS.iterdir()) for each in read_stacks([path]))
    written |= {each.type for stack in plans if stack.plan for each in stack.plan.changes if not each.is_data}
    missing = [
        (kind, ".".join(path))
        for kind in sorted(written)
        if kind in schema
        for path in leaves(schema[kind]["block"])
        if TABLE.find(kind, path) is None
    ]
    assert missing == []
    assert [kind for kind in sorted(written) if TABLE.deletion(kind) is None] == []


def test_attributes_that_need_no_look_are_those_whose_rows_mean_nothing() -> None:
    table = default_table()
    for kind in table.types:
        quiet = table.quiet(kind)
        for name in quiet:
            found = table.find(kind, (name,))
            assert found is not None
            assert all(case.meaning is None for case in found[1]), (kind, name)
            assert table.find(kind, (name, "anything", "within")) == found
        assert not any(
            case.meaning
            for path, cases in table.types[kind].rows.items()
            for case in cases
            if path[0] in quiet
        )
