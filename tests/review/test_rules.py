"""A team's own review.toml: rows, ignored points, thresholds, text."""

from datetime import date
from pathlib import Path

import pytest

from review.checks import TableError
from review.model import UNKNOWN, Action, ResourceChange, Verdict
from review.rendering.comment import render
from review.rules import Rules, find_rules, read_rules
from tests.review import command
from tests.review.rendering import change, review, stack

TODAY = date(2027, 1, 31)
LOWER = change(
    "aws_cloudwatch_log_group.web", before={"retention_in_days": 30}, after={"retention_in_days": 7}
)
IGNORE = """
[[ignore]]
title = "Kept for less time"
address = "aws_cloudwatch_log_group.*"
reason = "logs go to the archive as well"
until = 2027-01-31
"""


MEANING = "concern = 'runtime'\nweight = 1\ntitle = 'Title'\nreason = 'Reason.'\n"


def rules(tmp_path: Path, text: str, today: date = TODAY) -> Rules:
    path = tmp_path / "review.toml"
    path.write_text(text)
    return read_rules(path, today)


def test_an_ignored_point_is_not_counted_and_is_shown_with_its_reason(tmp_path: Path) -> None:
    found = review(stack(LOWER), rules=rules(tmp_path, IGNORE))
    assert found.verdict is Verdict.SAFE
    text = render(found)
    assert "<summary>Ignored by rule (1)</summary>" in text
    assert "`logs go to the archive as well`, until 2027-01-31" in text


def public(address: str) -> ResourceChange:
    before, after = {"map_public_ip_on_launch": False}, {"map_public_ip_on_launch": True}
    return change(address, before=before, after=after)


IGNORE_PUBLIC = "[[ignore]]\ntitle = '{}'\naddress = '{}'\nreason = 'meant'\nuntil = 2027-06-30\n"


@pytest.mark.parametrize(
    ("address", "pattern", "is_ignored"),
    [
        ("aws_subnet.public[0]", "aws_subnet.public[0]", True),
        ('aws_subnet.public["a"]', 'aws_subnet.public["a"]', True),
        ("aws_subnet.public[10]", "aws_subnet.public[*]", True),
        ("aws_subnet.public0", "aws_subnet.public[0]", False),
        ("aws_subnet.public[0]", "aws_subnet.public", False),
        ("aws_subnet.public", "aws_subnet.publi?", False),
    ],
)
def test_brackets_of_an_ignored_address_stand_for_themselves(
    tmp_path: Path, address: str, pattern: str, is_ignored: bool
) -> None:
    decided = rules(tmp_path, IGNORE_PUBLIC.format("Made public", pattern))
    found = review(stack(public(address)), rules=decided)
    assert bool(found.stacks[0].ignored) is is_ignored


def test_a_point_is_ignored_in_the_stacks_that_the_rule_names(tmp_path: Path) -> None:
    decided = rules(tmp_path, IGNORE_PUBLIC.format("Made public", "*") + "stack = 'dev-*'\n")
    stacks = [stack(public("aws_subnet.a"), name=name) for name in ("dev-network", "prod-network")]
    found = {each.stack.name: each for each in review(*stacks, rules=decided).stacks}
    assert len(found["dev-network"].ignored) == 1
    assert [flag.title for flag in found["prod-network"].flags] == ["Made public"]


def test_a_point_is_ignored_by_the_title_that_the_comment_shows(tmp_path: Path) -> None:
    unknown = change(
        "aws_subnet.a", before={"map_public_ip_on_launch": False}, after={"map_public_ip_on_launch": UNKNOWN}
    )
    decided = rules(tmp_path, IGNORE_PUBLIC.format("Not known: Made public?", "*"))
    assert len(review(stack(unknown), rules=decided).stacks[0].ignored) == 1


def test_many_points_that_a_rule_ignores_are_one_line(tmp_path: Path) -> None:
    many = stack(*(public(f"aws_subnet.a[{index}]") for index in range(1_000)))
    text = render(review(many, rules=rules(tmp_path, IGNORE_PUBLIC.format("Made public", "*"))))
    assert "<summary>Ignored by rule (1,000)</summary>" in text
    assert "`aws_subnet.a[19]` and 980 more: `meant`, until 2027-06-30" in text


@pytest.mark.parametrize(
    "words", ["hidden <!-- ", "a <b", "ask @team", "an `open span", "[a](https://b.c)", "one\\ntwo", " "]
)
@pytest.mark.parametrize(
    "file",
    [
        '[means.x]\nconcern = "runtime"\nweight = 1\ntitle = "A"\nreason = "{}"',
        '[means.x]\nconcern = "runtime"\nweight = 1\ntitle = "{}"\nreason = "A"',
        '[types.x]\ndeleted = {{ holds = "{}", weight = 1 }}',
        '[names]\nsize = "{}"',
        '[back]\n"Image changed" = "{}"',
        '[types.x]\nback = {{ otherwise = "{}" }}',
        '[units]\nsize = "{}"',
    ],
)
def test_words_of_the_file_cannot_hide_or_mention_anything(tmp_path: Path, file: str, words: str) -> None:
    with pytest.raises(TableError, match=r"must be a text on one line|between two backticks"):
        rules(tmp_path, file.format(words))


def test_words_of_the_file_may_have_code(tmp_path: Path) -> None:
    rules(tmp_path, '[names]\nsize = "the `<size>` of it, 5 > 3"')


def test_a_file_of_windows_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert rules(tmp_path, "\ufeffquiet = true").quiet


def test_an_expired_ignore_is_a_point_and_ignores_nothing(tmp_path: Path) -> None:
    found = review(stack(LOWER), rules=rules(tmp_path, IGNORE, date(2027, 2, 1)))
    titles = [flag.title for flag in found.stacks[0].flags]
    assert titles == ["Kept for less time", "Ignore rule expired"]


def test_a_row_is_added_and_another_overridden(tmp_path: Path) -> None:
    text = """
[means.small]
concern = "runtime"
weight = 90
title = "Our word"
reason = "Our reason."

[types.aws_cloudwatch_log_group]
retention_in_days = "harmless"

[types.example_thing]
size = { lowered = "small" }
"""
    decided = rules(tmp_path, text)
    assert review(stack(LOWER), rules=decided).verdict is Verdict.SAFE
    smaller = change("example_thing.x", before={"size": 3}, after={"size": 2})
    (flag,) = review(stack(smaller), rules=decided).stacks[0].flags
    assert (flag.title, flag.weight) == ("Our word", 90)


def test_a_row_for_every_type_overrides_that_of_the_package(tmp_path: Path) -> None:
    forced = change("aws_s3_bucket.logs", before={"force_destroy": False}, after={"force_destroy": True})
    assert review(stack(forced)).verdict is Verdict.REVIEW
    decided = rules(tmp_path, '[any]\nforce_destroy = "harmless"')
    assert review(stack(forced), rules=decided).verdict is Verdict.SAFE


REVISION = """
[types.example_release]
size = "harmless"
deleted = { revision = "the releases before it stay in the archive" }
"""


@pytest.mark.parametrize("action", [Action.REPLACE, Action.DELETE])
def test_a_type_whose_former_revisions_lose_nothing_destroys_nothing(tmp_path: Path, action: Action) -> None:
    release = stack(change("example_release.web", action))
    found, without = review(release, rules=rules(tmp_path, REVISION)), review(release)
    assert (without.verdict, found.verdict) == (Verdict.DESTRUCTIVE, VERDICTS[action])
    assert (found.counts.revisions, found.counts.replace) == (action is Action.REPLACE, 0)
    assert found.stacks[0].flags == ()
    text = render(found)
    assert "Nothing is destroyed" in text
    assert "revision" not in render(without)
    if action is Action.REPLACE:
        assert "- `example_release`: the releases before it stay in the archive." in text
        assert "deleted first" not in text


VERDICTS = {Action.REPLACE: Verdict.SAFE, Action.DELETE: Verdict.REVIEW}


def test_an_attribute_has_the_name_and_the_unit_of_the_file(tmp_path: Path) -> None:
    text = """
[names]
size = "disk"

[units]
size = "GiB"

[means.small]
concern = "runtime"
weight = 50
title = "Smaller"
reason = "It may not fit."

[types.example_thing]
size = { lowered = "small" }
"""
    smaller = change("example_thing.x", before={"size": 3}, after={"size": 2})
    assert "disk `3` → `2` GiB" in render(review(stack(smaller), rules=rules(tmp_path, text)))


def test_the_weight_of_a_point_is_that_of_the_file(tmp_path: Path) -> None:
    found = review(stack(LOWER), rules=rules(tmp_path, '[points]\n"Kept for less time" = 12'))
    assert [flag.weight for flag in found.stacks[0].flags] == [12]


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("fail_on = 'REVIEW'", True),
        ("fail_on = 'DESTRUCTIVE'", False),
        ("fail_weight = 64", True),
        ("fail_weight = 65", False),
        ("", False),
    ],
)
def test_a_threshold_makes_the_review_fail(tmp_path: Path, text: str, fails: bool) -> None:
    assert (review(stack(LOWER), rules=rules(tmp_path, text)).beyond != "") is fails


def test_a_text_of_ones_own_stands_in_the_comment_as_it_is_written(tmp_path: Path) -> None:
    found = review(stack(LOWER), rules=rules(tmp_path, 'text = "Ask <b>@platform</b> first."'))
    assert "```\nAsk <b>@platform</b> first.\n```" in render(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fail_on = 'BAD'", "fail_on = 'BAD': use one of NO_CHANGES, SAFE, UNJUDGED"),
        ("fail_weight = 101", "fail_weight = 101: must be a whole number from 0 to 100"),
        ("colour = 1", "colour: no such key; use any, back, fail_on"),
        ("ignore = 1", "ignore = 1: write each one as [[ignore]]"),
        ("[[ignore]]\ntitle = 'x'", "ignore[0].reason is missing"),
        ("[[ignore]]\ntitle = 'x'\nreason = 'y'", "ignore[0].until = None: give the last day"),
        ("[[ignore]]\nwhen = 1", "ignore[0].when: no such key"),
        ("[types.x]\nsize = 'mystery'", "types.x.size = 'mystery': not a meaning"),
        ("=", "is not TOML"),
        ("text = ['a']", "text = ['a']: must be a text"),
        ("ignore = [3]", "ignore = [3]: write each one as [[ignore]]"),
        ("[[ignore]]\ntitle = 'x'\nreason = 'y'\naddress = 5", "ignore[0].address = 5: must be a text"),
        ("[types.x]\nsame_as = ['a']", "types.x.same_as = ['a']: no such type"),
        ("[types.x]\ndeleted = 'harmless'", "types.x.deleted = 'harmless': give one of holds, stops"),
        (
            "[types.x.deleted]\nholds = ''\nweight = 1",
            "types.x.deleted.holds = '': must be a text on one line",
        ),
        ("[types.x.deleted]\nholds = 'a'\nweight = 1\nshows = 'id'", "shows = 'id': must be a list"),
        ("[types.x]\nruns = { rolled_by = 'image' }", "rolled_by = 'image': must be a list"),
        (f"[means.x]\n{MEANING}created = 'yes'", "means.x.created = 'yes': use true or false"),
    ],
)
def test_a_wrong_file_is_told_with_file_key_and_what_is_allowed(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(TableError) as caught:
        rules(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "review.toml"))
    assert words in str(caught.value)


def test_the_file_is_found_beside_the_plans_and_decides_the_exit_status(tmp_path: Path) -> None:
    plan = Path(__file__).with_name("cases") / "fewer-tasks.json"
    (tmp_path / "dev-service.json").write_bytes(plan.read_bytes())
    assert find_rules([tmp_path]) is None
    (tmp_path / "review.toml").write_text("fail_on = 'REVIEW'")
    assert find_rules([tmp_path / "dev-service.json"]) == tmp_path / "review.toml"
    done = command.run(tmp_path, "--commit", "", "--run-url", "")
    assert done.returncode == 4
    assert "Beyond a threshold of the rules: the verdict is REVIEW, and fail_on is REVIEW." in done.stderr
    (tmp_path / "review.toml").write_text("fail_on = 1")
    done = command.run(tmp_path, "--commit", "", "--run-url", "")
    assert done.returncode == 2
    assert "fail_on = 1: use one of" in done.stderr


def test_quiet_is_about_reviews_in_which_nothing_changes_only(tmp_path: Path) -> None:
    quiet = rules(tmp_path, "quiet = true")
    assert review(stack(), rules=quiet).is_quiet
    assert not review(stack(change()), rules=quiet).is_quiet
    assert not review(stack(), rules=rules(tmp_path, "")).is_quiet
    with pytest.raises(TableError, match="quiet = 'yes': use true or false"):
        rules(tmp_path, "quiet = 'yes'")
