"""Which releases `make promote` copies; AWS is played."""

import inspect
from dataclasses import dataclass, field

import pytest

from ops.commands import releases as commands
from ops.core.errors import OpsError
from ops.releases.records import FAILED, IN_SERVICE, RECORDED, Recorded, Release
from tests.places import ENVIRONMENTS

IMAGE = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:"


@dataclass
class Record:
    """As `ops.releases.records.Releases`: versions of several releases, and what is recorded next."""

    versions: tuple[tuple[str, str], ...]
    promoted: list[str] = field(default_factory=list)

    def history(self, _: str) -> tuple[Recorded, ...]:
        """As `Releases.history`."""
        found = [
            Recorded(number, Release(IMAGE + digit * 64, f"abcdef{digit}", "ada", "now", state=state))
            for number, (digit, state) in enumerate(self.versions, 1)
        ]
        return tuple(found[::-1])

    def record(self, _: str, image: str, commit: str, why: str) -> bool:
        """As `Releases.record`."""
        assert image.endswith(commit[-1] * 64)
        self.promoted.append(why)
        return True


def promote(monkeypatch: pytest.MonkeyPatch, *versions: tuple[str, str]) -> list[str]:
    """Promote the last of these versions of dev to staging; returns why they were recorded."""
    record = Record(versions)
    monkeypatch.setattr(commands, "act_in", lambda *_: None)
    monkeypatch.setattr(commands, "caller_account", lambda _: "111111111111")
    monkeypatch.setattr(commands, "releases_of", lambda *_: record)
    inspect.unwrap(commands.promote)("dev", "staging", "web", ENVIRONMENTS.parent)
    return record.promoted


def test_a_release_in_service_is_promoted_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert promote(monkeypatch, ("1", FAILED), ("1", IN_SERVICE)) == ["promoted from dev version 2"]
    assert capsys.readouterr().err == ""


def test_a_release_that_nobody_has_seen_in_service_is_promoted_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert promote(monkeypatch, ("1", IN_SERVICE), ("2", RECORDED)) == ["promoted from dev version 2"]
    assert capsys.readouterr().err == (
        "dev web: version 2 is recorded; it is not known that it was in service. `make deploy ENV=dev` tests "
        "it.\n"
    )


@pytest.mark.parametrize("since", [(), (("2", RECORDED),)])
def test_a_release_that_failed_is_not_promoted_but_the_one_before_is_named(
    monkeypatch: pytest.MonkeyPatch, since: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(OpsError) as error:
        promote(monkeypatch, ("1", IN_SERVICE), ("2", FAILED), *since)
    assert str(error.value) == (
        f"dev web: version {2 + len(since)} failed when it was last deployed, so it is not promoted. Version "
        f"1 was the last one in service; this promotes it:\nmake release ENV=staging SERVICE=web "
        f"IMAGE={IMAGE}{'1' * 64} COMMIT=abcdef1"
    )


def test_without_a_release_in_service_a_failed_promotion_says_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(OpsError, match=r"None was in service before it: `make releases ENV=dev`\.$"):
        promote(monkeypatch, ("1", FAILED))
