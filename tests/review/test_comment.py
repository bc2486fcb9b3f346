"""The comment: what is in it, that nothing gets out of its code, and that it fits."""

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.marker import parse
from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    ActionInvocation,
    Concern,
    DeferredChange,
    Document,
    FailedCheck,
    Flag,
    Masked,
    ProvisionerRun,
    ResourceChange,
    Stack,
    Verdict,
    Wait,
)
from review.rendering.comment import render
from review.verdicts import Review
from tests.review.plan_documents import examples
from tests.review.rendering import (
    HOSTILE,
    MARKER,
    assert_well_formed,
    change,
    code_text,
    free_text,
    output,
    review,
    stack,
)

ENOUGH = 10_000_000

TEXT = st.one_of(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3).map("".join), st.text(max_size=9))
VALUES = st.recursive(
    st.one_of(
        TEXT,
        st.integers(),
        st.booleans(),
        st.none(),
        st.just(UNKNOWN),
        st.just(Masked(b"1")),
        st.just(Masked(b"2")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(TEXT, inner, max_size=3),
        st.dictionaries(TEXT, inner, max_size=3).map(Document),
    ),
    max_leaves=6,
)
STATES = st.dictionaries(
    st.one_of(TEXT, st.sampled_from(["policy", "tags", "id", "name"])), VALUES, max_size=4
)
TYPES = st.sampled_from(
    ["aws_thing", "aws_s3_bucket", "aws_iam_role_policy", "aws_security_group", "aws_`|`"]
)


@st.composite
def changes(draw: st.DrawFn) -> ResourceChange:
    action = draw(st.sampled_from(Action))
    return change(
        f"{draw(TYPES)}.{draw(TEXT)}",
        action,
        deposed=draw(st.one_of(st.none(), TEXT)),
        previous_address=draw(st.one_of(st.none(), TEXT)),
        reason=draw(st.one_of(st.none(), TEXT, st.just("delete_because_count_index"))),
        import_id=draw(st.one_of(st.just(ABSENT), VALUES)),
        before=ABSENT if action in (Action.CREATE, Action.READ) else draw(STATES),
        after=ABSENT if action in (Action.DELETE, Action.FORGET) else draw(STATES),
        replace_paths=draw(st.lists(st.tuples(TEXT), max_size=2).map(tuple)),
    )


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    name = draw(st.one_of(st.just("dev-service"), TEXT.filter(bool)))
    if draw(st.integers(0, 4)) == 0:
        return Stack(name, name, None, problem=draw(TEXT), errors=draw(TEXT), notes=(draw(TEXT),))
    found = stack(
        *draw(st.lists(changes(), max_size=5)),
        outputs=tuple(
            output(
                draw(TEXT),
                draw(st.sampled_from([Action.CREATE, Action.DELETE, Action.UPDATE])),
                draw(VALUES),
                1,
            )
            for _ in range(draw(st.integers(0, 2)))
        ),
        failed_checks=tuple(draw(st.lists(st.builds(FailedCheck, TEXT, TEXT, st.tuples(TEXT)), max_size=2))),
        deferred=tuple(draw(st.lists(st.builds(DeferredChange, TEXT, changes()), max_size=1))),
        actions=tuple(draw(st.lists(st.builds(ActionInvocation, TEXT, TEXT), max_size=1))),
        drift=tuple(draw(st.lists(changes(), max_size=2))),
        other_drift=draw(st.integers(0, 2)),
    )
    return replace(
        found, name=name, environment=draw(TEXT.filter(bool)), errors=draw(st.one_of(st.just(""), TEXT))
    )


REVIEWS = st.lists(stacks(), min_size=1, max_size=3).map(lambda found: review(*found))


@given(REVIEWS, st.integers(0, 6_000))
@examples(40)
def test_hostile_text_stays_in_code_and_the_budget_is_kept(found: Review, budget: int) -> None:
    assert_well_formed(render(found, ENOUGH))
    text = render(found, budget)
    assert len(text.encode()) <= budget
    if budget > 400:
        assert_well_formed(text)
    assert text == render(found, budget)


def large(count: int, flags: bool = False) -> Review:
    """A review of two stacks with many changes of each kind."""
    table = "aws_dynamodb_table" if flags else "aws_thing"
    found = []
    for name in ("dev-service", "prod-service"):
        many = [
            change(
                f"{table if action is Action.DELETE else 'aws_thing'}.{action.value}_{index}",
                action,
                **({"before": {"name": f"n{index}", "x": "é" * 90}} if action is Action.DELETE else {}),
                **({"after": {"name": f"n{index}", "x": "é" * 90}} if action is Action.CREATE else {}),
                **({"after": {"size": index}} if action is Action.UPDATE else {}),
            )
            for action in Action
            for index in range(count)
        ]
        found.append(stack(*many, name=name, outputs=tuple(output(f"o{each}") for each in range(count))))
    return review(*found)


def test_every_change_is_found_by_its_address_when_nothing_is_left_out() -> None:
    found = large(20, flags=True)
    text = render(found, ENOUGH)
    shown = set(code_text(text).splitlines())
    for each in found.stacks:
        assert each.stack.plan
        for resource in each.stack.plan.changes:
            assert resource.address in shown
    assert "Left out" not in text


def left_out(text: str) -> int:
    """How many things the end of a comment says are missing, details and lists."""
    _, _, end = text.partition("**Left out**")
    end = end.partition("bytes:")[2]
    return sum(int(each.replace(",", "")) for each in re.findall(r"[\d,]*\d", end))


def test_the_budget_is_kept_at_every_size_and_more_of_it_never_shows_less() -> None:
    found = large(6, flags=True)
    everything = len(render(found, ENOUGH).encode())
    shown = 0
    for budget in [*range(0, everything + 500, 211), everything - 1, everything, everything + 1]:
        text = render(found, budget)
        assert len(text.encode()) <= budget
        assert ("Left out" in text) == (2_000 <= budget < everything) or budget < 2_000
    sizes = range(6_000, everything, 97)
    for budget in sizes:
        addresses = len(re.findall(r"aws_\w+\.\w+", code_text(render(found, budget))))
        assert addresses >= shown
        shown = addresses


def test_verdict_table_and_flags_stay_when_the_groups_go() -> None:
    found = large(40, flags=True)
    text = render(found, 34_000)
    for index in range(40):
        assert f"aws_dynamodb_table.delete_{index}" in text.split("### 🔴")[0]
    assert text.splitlines()[1].startswith("## 🔴 DESTRUCTIVE")
    assert "the differences of 80 replaced resources" not in text
    assert "all but the number of" in text or "the attributes of 80 created resources" in text


def test_what_is_destroyed_outlasts_what_is_created() -> None:
    replaced = change("aws_iam_role.kept", Action.REPLACE)
    created = [
        change(f"aws_thing.made_{index:03}", Action.CREATE, after={"size": index}) for index in range(400)
    ]
    text = render(review(stack(replaced, *created)), 4_000)
    assert "- size: 1  # forces the replacement" in text
    listed = len(re.findall(r"- `aws_thing\.made_\d+`", text))
    assert 0 < listed < 400
    assert f"{400 - listed} not listed here: {400 - listed} `aws_thing`" in text
    assert f"the attributes of {listed} created resources" in text
    assert f"all but the number of {400 - listed} created resources" in text


def flag(title: str, address: str = "aws_thing.x", **fields: Any) -> Flag:
    known: dict[str, Any] = {"concern": Concern.PERMISSION, "reason": "Why.", "path": ("a",), "after": 1}
    known |= fields
    return Flag(stack="dev-service", address=address, title=title, before=ABSENT, **known)


def flagged(*flags: Flag) -> Review:
    """A review with these flags and no others."""
    found = review(stack(change()))
    (only,) = found.stacks
    counts = replace(only.counts, flags=len(flags))
    return replace(
        found,
        stacks=(replace(only, flags=flags, counts=counts, verdict=Verdict.REVIEW),),
        counts=counts,
        verdict=Verdict.REVIEW,
    )


def listed(text: str) -> list[str]:
    """The points of a comment."""
    return re.findall(r"(?m)^\d+\. (.*)", text)


def test_points_beyond_the_budget_are_counted_exactly() -> None:
    found = flagged(*(flag(f"Title {index:04}") for index in range(2000)))
    text = render(found, 20_000)
    missing = re.search(r"([\d,]+) flags \(the verdict file lists them all\)", text)
    assert missing
    assert "**2,000 points to look at first.**" in text
    assert 0 < len(listed(text)) < 2000
    assert len(listed(text)) + int(missing[1].replace(",", "")) == 2000
    assert "the values of the points" in text
    assert_well_formed(text)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("count", [600, 610, 1_000, 6_000])
def test_many_flags_of_a_kind_never_crowd_out_another(count: int, same: bool) -> None:
    names = [f"aws_ssm_parameter.{'p' * 80}_{i}" for i in range(count)]
    many = [
        flag("Data deleted", name, concern=Concern.DATA_LOSS, after=0 if same else index)
        for index, name in enumerate(names)
    ]
    text = render(flagged(*many, flag("Every action allowed", "aws_iam_policy.new")))
    assert "**2 points to look at first.**" in text
    first, second = listed(text)
    told = first.count("aws_ssm_parameter.")
    assert told >= 20
    assert f" and {count - told:,} more<br>" in first
    assert "`aws_iam_policy.new`" in second
    assert f"{count - told:,} addresses (the verdict file lists them all)" in text
    # The room is used.
    assert 59_000 < len(text.encode()) <= 60_000


def test_addresses_go_before_values_and_values_before_points() -> None:
    long = "now " + "x" * 140
    many = [flag("One", f"aws_thing.number_{index:03}", after=long) for index in range(100)]
    found = flagged(*many, flag("Two", after=long), flag("Three", concern=Concern.EXPOSURE, after=long))
    seen = []
    for budget in range(9_000, 500, -50):
        text = render(found, budget)
        seen.append((len(listed(text)), long in text, text.count("aws_thing.number_") >= 20))
    order = list(dict.fromkeys(seen))
    assert order[:3] == [(3, True, True), (3, False, True), (3, False, False)]


def test_as_many_points_are_told_as_are_listed() -> None:
    unknown = [
        flag("Policy not known", f"aws_thing.{name}", concern=Concern.UNKNOWN, path=(name,), after=UNKNOWN)
        for name in "abc"
    ]
    text = render(flagged(*unknown, flag("One"), flag("One", "aws_thing.y")))
    assert "**2 points to look at first.**" in text
    one, last = listed(text)
    assert "**2 \u00d7 One** · `a` `1` · `aws_thing.x`, `aws_thing.y`<br>" in one
    assert "**3 \u00d7 Policy not known**<br>" in last
    assert all(f"`aws_thing.{name}`: `{name}` `(known after apply)`" in last for name in "abc")


def test_what_cannot_be_judged_is_one_point_over_all_stacks_and_a_question() -> None:
    new = {"type": "ingress", "cidr_blocks": UNKNOWN, "from_port": 1, "to_port": 2, "protocol": "tcp"}
    one = change("aws_security_group_rule.x", Action.CREATE, after=new)
    text = render(review(stack(one), stack(one, name="prod-service")))
    (point,) = [each for each in listed(text) if "aws_security_group_rule" in each]
    assert "**2 \u00d7 Not known: Open to the world?** · " in point
    assert (
        "`aws_security_group_rule.x` in `dev-service`, `aws_security_group_rule.x` in `prod-service`" in point
    )


def test_many_stacks_without_changes_leave_room_for_the_one_that_changes() -> None:
    quiet = [stack(name=f"team{index:03}-service") for index in range(600)]
    text = render(review(*quiet, stack(change("aws_thing.x"), name="shop-service")))
    assert "Left out" not in text
    assert "| `shop-service` |" in text
    assert "| `team000-service` |" not in text
    assert "**`aws_thing.x`**" in text
    assert "`team049-service` and 550 more." in text
    assert "- 551 more in the verdict file" in text


def test_rows_beyond_the_budget_are_counted_exactly() -> None:
    found = review(*(stack(change(), name=f"env{index:03}-service") for index in range(900)))
    text = render(found, 20_000)
    rows = len(re.findall(r"(?m)^\| `env", text))
    assert f"{900 - rows} stacks" in text
    assert 0 < rows < 900


def test_the_verdict_line_names_environments_commit_run_and_plan() -> None:
    text = render(review(stack(change(action=Action.DELETE)), run_url="https://example.com/runs/1"))
    first, second, *_ = text.splitlines()
    assert parse(first) == MARKER
    assert second == "## 🔴 DESTRUCTIVE · `dev`"
    assert "**1 resource is deleted.**" in text
    assert "commit `0123456789ab` · [run](https://example.com/runs/1)" in text
    assert f"- `dev-service` `{'a' * 64}`" in text


WAIT = Wait("dev-network", "dev-service waits for dev-network: it has no zone c yet.", has_state=False)


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_has_its_word_and_a_sentence(verdict: Verdict) -> None:
    given = {
        Verdict.NO_CHANGES: stack(),
        Verdict.SAFE: stack(change()),
        Verdict.UNJUDGED: stack(change(before={"colour": 1}, after={"colour": 2})),
        Verdict.REVIEW: stack(change(action=Action.UNRECOGNISED)),
        Verdict.DESTRUCTIVE: stack(change(action=Action.REPLACE), change("aws_thing.y", Action.DELETE)),
        Verdict.WAITS: Stack("dev-service", "dev", None, waits=(WAIT,)),
        Verdict.INCOMPLETE: Stack("dev-service", "dev", None, missing=True),
        Verdict.ERRORED: Stack("dev-service", "dev", None, problem="is empty"),
    }[verdict]
    _, heading, _, sentence, *_ = render(review(given)).splitlines()
    assert verdict.words in heading
    assert (
        sentence
        == {
            Verdict.NO_CHANGES: "Nothing would be created, changed, moved, imported or destroyed.",
            Verdict.SAFE: "Nothing is destroyed, and every changed attribute is known to be harmless.",
            Verdict.UNJUDGED: "Nothing is destroyed. **1 attribute of 1 type was not judged.**",
            Verdict.REVIEW: "Nothing is destroyed.",
            Verdict.DESTRUCTIVE: "**1 resource is replaced and 1 is deleted.** "
            "**2 points to look at first.**",
            Verdict.WAITS: "**`dev-service` waits for `dev-network`.** Apply that first, then review again.",
            Verdict.INCOMPLETE: "**1 plan is missing.**",
            Verdict.ERRORED: "**The plan failed or cannot be read:** what would change there is not known.",
        }[verdict]
    )


def test_what_a_stack_waits_for_stands_in_its_row_and_its_section() -> None:
    text = render(
        review(Stack("dev-service", "dev", None, waits=(WAIT,)), stack(change(), name="dev-network"))
    )
    assert "| ⏳ WAITS |  | waits for `dev-network` |" in text
    assert "<summary>To apply first (1)</summary>" in text
    assert f"- `dev-network`: `{WAIT.reason}`\n" in text


def test_many_stacks_that_wait_are_counted() -> None:
    waiting = (Stack(f"{name}-service", name, None, waits=(WAIT,)) for name in "abcdefg")
    assert "**7 stacks wait for others.**" in render(review(*waiting))


def test_columns_that_are_zero_throughout_are_left_out() -> None:
    text = render(review(stack(change()), stack(change(action=Action.CREATE), name="dev-network")))
    assert "| environment | stack | verdict | update | create | plan |" in text


def test_failed_and_missing_plans_have_a_row_and_the_others_are_shown() -> None:
    text = render(
        review(
            stack(change()),
            Stack("dev-network", "dev", None, missing=True),
            Stack("foundation", "foundation", None, problem="foundation.json: ends in the middle | of `it`"),
            Stack("prod-network", "prod", None, errors="╷\n│ Error: no credentials\n│ more\n╵"),
        )
    )
    assert "| 🚧 INCOMPLETE |  | missing: no plan was given |" in text
    assert "| ❌ ERRORED |  | `` foundation.json: ends in the middle \\u007c of `it` `` |" in text
    assert "| ❌ ERRORED |  | `Error: no credentials` |" in text
    assert "│ Error: no credentials\n│ more" in code_text(text)
    assert "`aws_thing.x`" in text
    assert_well_formed(text)


def test_identical_flags_of_a_stack_are_one_entry_with_all_addresses() -> None:
    tables = [change(f"aws_dynamodb_table.{name}", Action.DELETE, before={"name": "same"}) for name in "abc"]
    text = render(review(stack(*tables), stack(*tables, name="prod-service")))
    (entry,) = [line for line in text.splitlines() if "Data deleted" in line]
    assert "**6 \u00d7 Data deleted** · `name` was `same` · `aws_dynamodb_table.a` in `dev-service`" in entry
    assert entry.count("aws_dynamodb_table.") == 6
    assert "<details><summary>3 more</summary>`aws_dynamodb_table.a` in `prod-service`" in entry


def test_the_orders_of_a_replacement_are_named() -> None:
    text = render(
        review(
            stack(
                change("aws_thing.a", Action.REPLACE),
                change("aws_thing.b", Action.REPLACE, create_before_destroy=True),
            )
        )
    )
    assert "**`aws_thing.a`** · deleted first, then created · forced by `size`" in text
    assert "**`aws_thing.b`** · created first, then deleted · forced by `size`" in text


def test_destructive_groups_are_open_and_the_others_folded() -> None:
    text = render(review(stack(*(change(f"aws_thing.{each.value}", each) for each in Action))))
    assert "<details open><summary>Replace (1)</summary>" in text
    assert "<details open><summary>Delete (1)</summary>" in text
    assert "<details><summary>Update (1)</summary>" in text
    assert "<details><summary>Create (1)</summary>" in text
    titles = re.findall(r"<summary>(\w+)", text)
    expected = ["Replace", "Delete", "Unrecognised", "Update", "Create", "Forget", "Import", "Move", "Read"]
    assert [each for each in titles if each not in ("SHA", "How")] == expected


def test_a_deposed_object_is_told_apart_from_the_resource_itself() -> None:
    text = render(review(stack(change(), change(action=Action.DELETE, deposed="0a1b2c3d"))))
    assert "- `aws_thing.x` · its deposed object `0a1b2c3d` · id `i-1`" in text
    assert "**`aws_thing.x`**\n```diff" in text


def test_the_same_change_on_many_resources_is_one() -> None:
    many = [
        change(f"aws_thing.r{index:02}", before={"tags": {"owner": "a"}}, after={"tags": {"owner": "b"}})
        for index in range(23)
    ]
    text = render(review(stack(*many)))
    assert "**The same on 23 resources:** `tags \u203a owner`" in text
    assert text.count('+ tags \u203a owner: "b"') == 1
    assert all(f"- `aws_thing.r{index:02}`" in text for index in range(23))


def test_new_resources_tell_what_is_set_and_count_what_is_not_known() -> None:
    after = {"name": "a", "arn": UNKNOWN, "id": UNKNOWN, "empty": [], "unset": None, "on": False}
    text = render(review(stack(change(action=Action.CREATE, after=after))))
    assert '```diff\n+ name: "a"\n+ on: false\n  2 attributes known after apply\n```' in text


def test_tags_that_all_new_resources_have_are_told_once() -> None:
    after = {"tags_all": {"project": "oaktree", "name": "a"}, "tags": {"name": "a"}}
    other = {"tags_all": {"project": "oaktree", "name": "b", "team": "c"}, "tags": {"name": "b"}}
    created = [
        change(f"aws_thing.{name}", Action.CREATE, after={**after, "size": place})
        for place, name in enumerate("abc")
    ]
    text = render(review(stack(*created, change("aws_thing.d", Action.CREATE, after=other))))
    assert text.count('oaktree"') == 1
    assert '+ tags_all: {"team": "c"}' in text


def test_a_masked_change_shows_that_it_changed_and_nothing_else() -> None:
    before, after = {"password": Masked(b"one")}, {"password": Masked(b"two")}
    text = render(review(stack(change(before=before, after=after))))
    assert "- password: (sensitive)\n+ password: (sensitive, changed)" in text
    assert not re.search("one|two", code_text(text))


def test_outputs_checks_deferrals_actions_and_drift_follow_the_groups() -> None:
    text = render(
        review(
            stack(
                change(),
                outputs=(
                    output("new", Action.CREATE, ABSENT, "x"),
                    output("old", Action.DELETE, "y", ABSENT),
                    output("url", Action.UPDATE, "a", "b"),
                    output("token", Action.UPDATE, Masked(b"1"), Masked(b"2")),
                ),
                failed_checks=(FailedCheck("check.up", "fail", ("not @up",)),),
                deferred=(DeferredChange("absent_prereq", change("aws_thing.later", Action.CREATE)),),
                actions=(ActionInvocation("action.aws_lambda_invoke.warm", "aws_lambda_invoke"),),
                drift=(change("aws_thing.drifted"), change("aws_thing.gone", Action.DELETE)),
                other_drift=2,
            )
        )
    )
    assert '- `new` added: `"x"`\n- `old` removed: `"y"`\n- `url` changed: `"a"` → `"b"`\n' in text
    assert "- `token` changed: `(sensitive)` → `(sensitive, changed)`" in text
    assert "- `check.up` failed: `not @up`" in text
    assert "- `aws_thing.later` (create): what it needs is not there yet" in text
    assert "- `action.aws_lambda_invoke.warm` of type `aws_lambda_invoke`" in text
    assert "**`aws_thing.drifted`** · changed" in text
    assert "- `aws_thing.gone` · deleted outside of Terraform" in text
    assert "2 other resources changed outside of Terraform; nothing in this plan depends on that." in text
    assert "@" not in free_text(text)
    order = [
        text.index(each)
        for each in ("Update (1)", "Outputs (4)", "Failed checks", "Put off", "Actions", "Drift")
    ]
    assert all(one < other for one, other in itertools.pairwise(order))


def test_stacks_without_changes_are_one_line() -> None:
    text = render(review(stack(change()), stack(name="dev-network"), stack(name="foundation")))
    assert "No changes: `dev-network`, `foundation`." in text
    assert "### ⚪" not in text


def test_what_terraform_says_at_length_is_cut_and_counted() -> None:
    text = render(review(Stack("dev-service", "dev", None, errors="Error: x\n" + "y" * 50_000)))
    assert "[44,009 more characters]" in text
    assert len(text.encode()) < 10_000


def test_a_single_resource_cannot_fill_the_comment() -> None:
    after = {f"attribute_{index:04}": index for index in range(5_000)}
    text = render(review(stack(change(before={"id": "x"}, after=after))))
    assert "more lines]" in text
    assert "Left out" not in text
    assert len(text.encode()) < 10_000


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nold\n"])
def test_a_text_with_long_lines_leaves_room_for_the_other_resources(before: str | None) -> None:
    script = "#!/bin/sh\n" + "\n".join(str(line) * 30_000 for line in range(200))
    large = change("aws_instance.a", before={"user_data": before}, after={"user_data": script})
    text = render(review(stack(large, *(change(f"aws_thing.{name}") for name in "bc"))))
    assert "Left out" not in text
    assert "more lines]" in text
    assert len(text.encode()) < 16_000


def test_many_addresses_of_a_shortened_point_are_folded() -> None:
    names = [f"aws_ssm_parameter.{'p' * 80}_{index}" for index in range(600)]
    (first,) = listed(render(flagged(*(flag("Data deleted", name, after=name) for name in names))))
    shown, _, folded = first.partition("<details><summary>")
    assert shown.count("aws_ssm_parameter.") == 3
    assert f"{folded.count('aws_ssm_parameter.')} more</summary>" in folded
    assert first.count("</details>") == 1


def test_what_is_left_out_is_only_what_there_is() -> None:
    text = render(flagged(*(flag("One", f"aws_thing.{'x' * 90}_{index}") for index in range(999))))
    assert "the values of the points, the SHA-256 of the plans;" in text


def test_quotes_of_a_text_are_not_escaped_in_a_point() -> None:
    (point,) = listed(render(flagged(replace(flag("One"), before='ALARM("a/b")', after='ALARM("a/c")'))))
    assert '`ALARM("a/b")` → `ALARM("a/c")`' in point


def test_a_very_long_address_hides_no_other_point() -> None:
    key = "k" * 90_000
    found = flagged(flag("One", f'aws_thing.x["a{key}z"]'), flag("Two", "aws_thing.y"))
    text = render(found)
    first, second = listed(text)
    assert '`aws_thing.x["akkk' in first
    assert "…[89,617 characters]…" in first
    assert 'kkkz"]`' in first
    assert "`aws_thing.y`" in second


def test_a_new_revision_is_no_replacement() -> None:
    task = change("aws_ecs_task_definition.web", Action.REPLACE)
    text = render(review(stack(task)))
    assert "Replace" not in text
    assert "created first" not in text
    assert "deleted first" not in text
    assert "| environment | stack | verdict | new revision |" in text
    assert "Nothing is destroyed (1 new revision loses nothing), and every changed attribute is known" in text
    assert "<details><summary>New revision (1) · nothing is lost</summary>" in text
    assert "- `aws_ecs_task_definition`: the previous revision stays or is deregistered" in text
    assert "**`aws_ecs_task_definition.web`** · forced by `size`" in text
    assert "- size: 1  # forces the new revision" in text
    counts = review(stack(task, change(action=Action.REPLACE))).counts
    assert (counts.replace, counts.revisions) == (1, 1)


def test_only_a_task_definition_is_said_to_have_revisions() -> None:
    made = stack(change("null_resource.a", Action.REPLACE), change("terraform_data.b", Action.DELETE))
    text = render(review(made))
    assert "revision" not in text
    assert "| environment | stack | verdict | delete | replace without loss |" in text
    assert "Nothing is destroyed but 1 resource, which holds no data (1 replacement loses nothing)." in text
    assert "<details><summary>Replacement (1) · nothing is lost</summary>" in text
    assert "# forces the replacement" in text


def test_a_revision_that_is_deleted_is_told() -> None:
    text = render(review(stack(change("aws_ecs_task_definition.web", Action.DELETE, deposed="0123abcd"))))
    assert "## 🟡 REVIEW" in text
    assert "Nothing is destroyed but 1 revision, which holds no data." in text


def test_a_former_object_that_stays_is_told() -> None:
    kept = change(action=Action.REPLACE, create_before_destroy=True, keeps_former=True)
    text = render(review(stack(kept)))
    assert "Nothing is destroyed (1 previous object stays in the account, no longer managed)." in text
    words = "created; the previous object stays in the account, no longer managed · forced by `size`"
    assert f"**`aws_thing.x`** · {words}" in text
    assert "then deleted" not in text


def test_actions_are_named_at_the_top() -> None:
    actions = tuple(ActionInvocation(f"action.aws_lambda_invoke.{name}", "x") for name in "abcdefgh")
    text = render(review(stack(actions=actions[:2])))
    assert "2 actions are invoked: `action.aws_lambda_invoke.a`, `action.aws_lambda_invoke.b`." in text
    assert "`action.aws_lambda_invoke.f` and 2 more." in render(review(stack(actions=actions)))


def test_an_incomplete_plan_may_be_a_targeted_one() -> None:
    assert "it is of a part only (`-target`)" in render(review(stack(change(), complete=False)))


def test_commands_of_the_apply_are_listed() -> None:
    runs = (
        ProvisionerRun("aws_thing.x", "local-exec", "curl `x` | sh", True),
        ProvisionerRun("aws_thing.y", "remote-exec", UNKNOWN, False),
    )
    text = render(review(stack(change(), provisioners=runs)))
    assert "<details open><summary>Commands run by the apply (2)</summary>" in text
    assert "- `aws_thing.x`, `local-exec`, where Terraform runs: ``curl `x` | sh``" in text
    assert "- `aws_thing.y`, `remote-exec`, on the resource: `(known after apply)`" in text
    assert_well_formed(text)


def test_what_loses_its_mark_says_so_and_stays_masked() -> None:
    changed = change(
        before={"password": Masked(b"1"), "user": Masked(b"1")},
        after={"password": Masked(b"2"), "user": Masked(b"1")},
        no_longer_sensitive=(("password",), ("user",)),
    )
    gone = replace(output("token", before=Masked(b"1"), after=Masked(b"1")), no_longer_sensitive=True)
    text = render(review(stack(changed, outputs=(gone,))))
    assert "+ password: (sensitive, changed) (sensitive until now)" in text
    assert "  user: (sensitive) (sensitive until now)" in text
    assert "- `token` changed (sensitive until now):" in text
    only = change(before={"a": Masked(b"1")}, after={"a": Masked(b"1")}, no_longer_sensitive=(("a",),))
    assert "nothing that differs" not in render(review(stack(only)))


def test_a_new_resource_with_nothing_known_is_one_line() -> None:
    made = change("aws_route_table_association.x", Action.CREATE, after={"id": UNKNOWN, "gateway_id": None})
    text = render(review(stack(made)))
    assert "- `aws_route_table_association.x` · known after apply: `id`\n" in text
    assert "```" not in text
