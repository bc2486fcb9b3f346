"""The registry never loses an image that an environment runs or may go back to, and keeps no rubbish.

Proved on a year of pushes, releases, promotions and rollbacks, with the lifecycle policy as it is
synthesized.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.stacks.lifecycle import Image, expired
from tests.stacks.terraform_json import Stack

DAYS = 365
VERSIONS = 100
"""What SSM keeps of a parameter. Source: AWS Systems Manager User Guide, "Parameter versions"."""

Evaluate = Callable[[str, Mapping[str, Image], float], set[str]]


@dataclass
class Year:
    """A repository and the release records of three environments that release from it."""

    dice: random.Random
    images: dict[str, Image] = field(default_factory=dict)
    records: dict[str, list[str]] = field(default_factory=lambda: {"dev": [], "staging": [], "prod": []})
    pushes: int = 0

    def push(self, when: float, *tags: str, children: tuple[str, ...] = ()) -> str:
        """Push a manifest that is like no other."""
        self.pushes += 1
        digest = f"sha256:{self.pushes:064x}"
        self.images[digest] = Image(digest, when, frozenset(tags), children)
        return digest

    def build(self, when: float) -> str:
        """Push a commit's image: alone, or as buildx does, as an index with what it attests."""
        commit = f"{self.dice.getrandbits(160):040x}"
        if self.dice.random() < 0.3:
            return self.push(when, commit)
        return self.push(when, commit, children=(self.push(when), self.push(when)))

    def leave(self, when: float) -> None:
        """A push that was cut short leaves manifests without a tag, or an index without one."""
        children = (self.push(when), self.push(when))
        if self.dice.random() < 0.5:
            self.push(when, children=children)

    def record(self, environment: str, digest: str) -> None:
        """Record a release, unless it is the one in force."""
        history = self.records[environment]
        if history[-1:] != [digest]:
            history.append(digest)
            del history[:-VERSIONS]

    def promote(self, source: str, target: str) -> None:
        """Copy a record."""
        self.record(target, self.records[source][-1])

    def roll_back(self, environment: str) -> None:
        """Restore the former release."""
        if former := self.former(environment):
            self.record(environment, former)

    def former(self, environment: str) -> str:
        """The newest release that is not the one in force, or nothing."""
        history = self.records[environment]
        return next((digest for digest in reversed(history) if digest != history[-1]), "")

    def day(self, day: int, next_to_prod: int) -> None:
        """What people and workflows do on one day."""
        for hour in range(self.dice.randint(2, 6)):
            when = day + hour / 24
            self.record("dev", self.build(when))
            if self.dice.random() < 0.5:
                self.leave(when)
        if self.dice.random() < 0.1:
            self.roll_back("dev")
        if self.dice.random() < 0.6:
            self.promote("dev", "staging")
        if self.dice.random() < 0.05:
            self.roll_back("staging")
        if day == next_to_prod:
            self.record("staging", self.records["dev"][-1])
            self.promote("staging", "prod")
            if self.dice.random() < 0.3:
                self.roll_back("prod")

    def lost(self) -> Iterator[str]:
        """Which record names an image that is not whole any more."""
        for environment, history in self.records.items():
            if not history:
                continue
            for which, digest in ("current", history[-1]), ("former", self.former(environment)):
                image = self.images.get(digest)
                if digest and (image is None or not set(image.children) <= self.images.keys()):
                    yield f"the {which} record of {environment}"


def live(policy: str, seed: int, evaluate: Evaluate = expired) -> tuple[Year, list[str]]:
    """A year under a policy that is evaluated daily, until a record's image is lost; returns which."""
    dice = random.Random(seed)  # noqa: S311 - a story, and the same each time
    year = Year(dice)
    next_to_prod = 3
    for day in range(DAYS):
        year.day(day, next_to_prod)
        if day == next_to_prod:
            next_to_prod += dice.choice((1, 30, 90, 150))
        for digest in evaluate(policy, year.images, day + 1):
            del year.images[digest]
        if lost := list(year.lost()):
            return year, lost
    return year, []


def policy(**selection: object) -> str:
    """A policy of one rule."""
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


UNTAGGED = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}


@pytest.fixture
def synthesized(stacks: dict[str, Stack]) -> str:
    """The policy of the service's repository."""
    body = stacks["foundation"].one("aws_ecr_lifecycle_policy")
    assert body["repository"] == "${aws_ecr_repository.web_images.name}"
    return str(body["policy"])


@pytest.mark.parametrize("seed", range(5))
def test_no_record_loses_its_image_and_leftovers_go(synthesized: str, seed: int) -> None:
    year, lost = live(synthesized, seed)
    assert lost == []
    for history in year.records.values():
        assert len(history) > 1
        for digest in history:
            assert set(year.images[digest].children) <= year.images.keys()
    referred = {child for image in year.images.values() for child in image.children}
    left = [image for image in year.images.values() if not image.tags and image.digest not in referred]
    (rule,) = json.loads(synthesized)["rules"]
    days = rule["selection"]["countNumber"]
    assert left
    # An index goes on one day, what only it referred to on the next.
    assert all(DAYS - image.pushed <= days + 2 for image in left)
    assert len(year.images) < year.pushes


@pytest.mark.parametrize(
    "bad",
    [
        policy(tagStatus="any", countType="imageCountMoreThan", countNumber=30),
        policy(tagStatus="any", countType="sinceImagePushed", countUnit="days", countNumber=30),
        policy(tagStatus="tagged", tagPatternList=["*"], countType="imageCountMoreThan", countNumber=100),
        policy(tagStatus="tagged", tagPrefixList=[""], countType="imageCountMoreThan", countNumber=100),
    ],
)
def test_a_policy_that_loses_releases_is_caught(bad: str) -> None:
    caught = {told for seed in range(3) for told in live(bad, seed)[1]}
    assert any(told.endswith("record of prod") for told in caught)


def test_children_would_be_lost_if_indexes_did_not_hold_them(synthesized: str) -> None:
    """So the year does depend on what is told of indexes."""

    def careless(policy: str, images: Mapping[str, Image], today: float) -> set[str]:
        alone = {digest: Image(digest, image.pushed, image.tags) for digest, image in images.items()}
        return expired(policy, alone, today)

    assert live(synthesized, 0, careless)[1]


def digests(*images: Image) -> dict[str, Image]:
    return {image.digest: image for image in images}


def test_age_is_counted_from_the_push() -> None:
    images = digests(Image("old", 0), Image("new", 1), Image("tagged", 0, frozenset({"v1"})))
    assert expired(policy(**UNTAGGED, countNumber=14), images, 14) == set()
    assert expired(policy(**UNTAGGED, countNumber=14), images, 14.5) == {"old"}


def test_the_youngest_are_kept_by_number() -> None:
    images = digests(*(Image(str(day), day, frozenset({f"v{day}"})) for day in range(4)))
    keep_two = policy(tagStatus="any", countType="imageCountMoreThan", countNumber=2)
    assert expired(keep_two, images, 10) == {"0", "1"}


@pytest.mark.parametrize("key", ["tagPrefixList", "tagPatternList"])
def test_an_image_needs_a_tag_for_each_of_several_patterns(key: str) -> None:
    images = digests(Image("both", 0, frozenset({"a1", "b1"})), Image("one", 0, frozenset({"a2"})))
    wanted = ["a", "b"] if key == "tagPrefixList" else ["a*", "b*"]
    none = policy(tagStatus="tagged", **{key: wanted}, countType="imageCountMoreThan", countNumber=0)
    assert expired(none, images, 1) == {"both"}


def test_what_an_earlier_rule_selects_a_later_one_does_not_expire() -> None:
    keep = {"tagStatus": "tagged", "tagPrefixList": ["r"], "countType": "imageCountMoreThan"}
    rules = [
        {"rulePriority": 2, "selection": {**UNTAGGED, "tagStatus": "any", "countNumber": 1}},
        {"rulePriority": 1, "selection": {**keep, "countNumber": 9}},
    ]
    both = json.dumps({"rules": [{**rule, "action": {"type": "expire"}} for rule in rules]})
    images = digests(Image("release", 0, frozenset({"r1"})), Image("other", 0, frozenset({"x"})))
    assert expired(both, images, 9) == {"other"}


def test_what_an_index_refers_to_stays_until_the_index_is_gone() -> None:
    images = digests(Image("index", 0, children=("child",)), Image("child", 0))
    assert expired(policy(**UNTAGGED, countNumber=1), images, 9) == {"index"}
    assert expired(policy(**UNTAGGED, countNumber=1), digests(Image("child", 0)), 10) == {"child"}


@pytest.mark.parametrize(
    ("unknown", "told"),
    [
        (policy(**UNTAGGED, storageClass="archive", countNumber=1), "unknown in a rule: storageClass"),
        (policy(**{**UNTAGGED, "countType": "sinceImagePulled"}, countNumber=1), "unknown count"),
        (policy(**{**UNTAGGED, "tagStatus": "some"}, countNumber=1), "unknown tagStatus: some"),
        (policy(**{**UNTAGGED, "tagStatus": "tagged"}, countNumber=1), "names no tags"),
        (policy(**UNTAGGED, countNumber=1).replace("expire", "transition"), "unknown action"),
    ],
)
def test_a_policy_that_says_something_else_is_not_judged(unknown: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        expired(unknown, digests(Image("one", 0)), 1)
