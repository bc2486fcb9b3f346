"""Release records, in a real SSM and a real ECR of the embedded AWS."""

import json
import os
import pwd
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from ops.core.ecs import Image
from ops.core.errors import OpsError, UsageError
from ops.local.embedded import Embedded
from ops.local.firsts import put_image, put_secret
from ops.releases.choice import has_failed, previous, restored
from ops.releases.lock import locked
from ops.releases.records import (
    FAILED,
    IN_SERVICE,
    RECORDED,
    Recorded,
    Release,
    Releases,
    user_name,
    who,
)
from stacks.reading import read_platform
from stacks.settings import Platform
from stacks.values import SecretReference
from tests.ops.amending import amending
from tests.ops.conftest import ACCOUNT, REGION, Desk

COMMIT = "abcdef0"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web"
PARAMETER = "/oaktree/dev/releases/web"
LOCK = "/oaktree/dev/releases-lock/web"


@pytest.fixture(scope="module")
def platform(desk: Desk) -> Platform:
    return read_platform(desk.checkout.environments)


@pytest.fixture(scope="module")
def ssm(embedded: Embedded) -> Any:
    return embedded.client("ssm", REGION)


@pytest.fixture(scope="module")
def image(embedded: Embedded, platform: Platform) -> str:
    ecr = embedded.client("ecr", REGION)
    ecr.create_repository(repositoryName="oaktree/web")
    return put_image(ecr, platform.project, "web")


@pytest.fixture(scope="module")
def releases(embedded: Embedded, platform: Platform, ssm: Any) -> Releases:
    return Releases(platform.project, platform.environments["dev"], ssm, embedded.client("ecr", REGION))


def test_a_release_is_recorded_once_and_keeps_its_history(releases: Releases, image: str, ssm: Any) -> None:
    assert releases.current("web") is None
    assert releases.record("web", image, COMMIT) is True
    assert releases.record("web", image, COMMIT) is False
    assert releases.record("web", image, "abcdef1") is True
    history = ssm.get_parameter_history(Name=PARAMETER)["Parameters"]
    assert [version["Type"] for version in history] == ["String", "String"]
    records = [json.loads(version["Value"]) for version in history]
    assert [(record["image"], record["commit"]) for record in records] == [
        (image, COMMIT),
        (image, "abcdef1"),
    ]
    assert records[0]["by"] == who()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", records[0]["at"])
    current = releases.current("web")
    assert current
    assert vars(current) == records[1]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "web",
        f"{REPOSITORY}:latest",
        f"{REPOSITORY}@sha256:abc",
        f"{REPOSITORY}@sha256:{'A' * 64}",
        f"{REPOSITORY}@sha256:{'a' * 64} ",
        f"docker.io/oaktree/web@sha256:{'a' * 64}",
        f"{REPOSITORY}2@sha256:{'a' * 64}",
    ],
)
def test_another_image_than_one_of_the_service_by_digest_is_refused(releases: Releases, wrong: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"IMAGE={wrong} is not an image of this service")):
        releases.record("web", wrong, COMMIT)


def test_an_image_that_the_registry_does_not_have_is_refused(releases: Releases) -> None:
    before = releases.current("web")
    with pytest.raises(OpsError, match=r"has no image sha256:a+ in oaktree/web\. Push the image first"):
        releases.record("web", f"{REPOSITORY}@sha256:{'a' * 64}", COMMIT)
    assert releases.current("web") == before


def test_a_registry_that_does_not_say_is_not_taken_for_one_without_the_image(
    releases: Releases, embedded: Embedded, image: str
) -> None:
    before = releases.latest("web")
    with amending(embedded.endpoint) as amended:
        amended.refusals["DescribeImages"] = "AccessDeniedException"
        refusing = replace(embedded, endpoint=amended.endpoint).client("ecr", REGION)
        with pytest.raises(OpsError, match=r"The image could not be looked up in \S+: "):
            replace(releases, ecr=refusing).record("web", image, "abcdef2")
    assert releases.latest("web") == before


def test_an_image_that_will_expire_is_refused(releases: Releases, image: str) -> None:
    manifest = {"schemaVersion": 2, "layers": [{"digest": "sha256:" + "b" * 64}]}
    digest = releases.ecr.put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps(manifest),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
    )["image"]["imageId"]["imageDigest"]
    assert image != f"{REPOSITORY}@{digest}"
    before = releases.current("web")
    with pytest.raises(OpsError, match="has no tag, and the registry deletes an image without one 14 days"):
        releases.record("web", f"{REPOSITORY}@{digest}", COMMIT)
    assert releases.current("web") == before
    releases.ecr.put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps(manifest),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag=COMMIT,
    )
    assert releases.record("web", f"{REPOSITORY}@{digest}", COMMIT) is True


def test_a_user_without_a_name_is_called_by_number() -> None:
    named = {user.pw_uid: user.pw_name for user in pwd.getpwall()}
    nameless = next(uid for uid in range(54321, 60000) if uid not in named)
    assert user_name(nameless) == str(nameless)
    assert user_name(0) == named[0]


def test_an_unknown_service_is_refused(releases: Releases, image: str) -> None:
    with pytest.raises(UsageError, match=r"SERVICE=api is not the name of an image of dev\. Use one of web"):
        releases.record("api", image, COMMIT)


@pytest.mark.parametrize("wrong", ["", "main", "abcdef", "ABCDEF0"])
def test_what_is_no_commit_is_refused(releases: Releases, image: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"COMMIT={wrong} is not a commit's id")):
        releases.record("web", image, wrong)


def test_a_record_that_cannot_be_read_is_replaced(releases: Releases, image: str, ssm: Any) -> None:
    ssm.put_parameter(Name=PARAMETER, Value="not JSON", Type="String", Overwrite=True)
    assert releases.current("web") is None
    assert releases.record("web", image, COMMIT) is True


def test_the_command_refuses_credentials_of_another_account(desk: Desk, embedded: Embedded) -> None:
    variables = embedded.environment("222222222222", REGION, desk.environment)
    elsewhere = Desk(desk.checkout, variables)
    done = elsewhere.run(
        "release",
        "--env",
        "dev",
        "--service",
        "web",
        "--image",
        f"{REPOSITORY}@sha256:{'a' * 64}",
        "--commit",
        COMMIT,
    )
    assert done.returncode == 1
    assert f"those of account 222222222222; this belongs to account {ACCOUNT}" in done.stderr


@pytest.mark.parametrize("store", ["ssm", "secretsmanager"])
def test_a_secret_that_is_there_is_kept(
    embedded: Embedded, tmp_path_factory: pytest.TempPathFactory, store: Any
) -> None:
    token = tmp_path_factory.mktemp("secret") / "write-token"
    reference = SecretReference(store=store, name="/kept" if store == "ssm" else "kept")
    client = embedded.client(store, REGION)
    assert put_secret(client, "SOMETHING", reference, token) is True
    assert put_secret(client, "SOMETHING", reference, token) is False
    assert not token.exists()


def test_each_key_of_a_json_secret_gets_a_value_once(
    embedded: Embedded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = tmp_path_factory.mktemp("secret") / "token"
    client = embedded.client("secretsmanager", REGION)
    references = [SecretReference(store="secretsmanager", name="of-json", json_key=key) for key in ("a", "b")]
    assert [put_secret(client, "SOMETHING", each, token) for each in references] == [True, True]
    before = client.get_secret_value(SecretId="of-json")["SecretString"]
    assert set(json.loads(before)) == {"a", "b"}
    assert [put_secret(client, "SOMETHING", each, token) for each in references] == [
        False,
        False,
    ]
    assert client.get_secret_value(SecretId="of-json")["SecretString"] == before


def put_tagged(ecr: Any, content: str, *tags: str, name: str = "oaktree/web") -> str:
    """Push an image of its own to a repository under some tags; returns it by digest."""
    manifest = {"schemaVersion": 2, "layers": [{"digest": f"sha256:{content * 64}"}]}
    put = {
        "repositoryName": name,
        "imageManifest": json.dumps(manifest),
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
    }
    digests = [ecr.put_image(**put, imageTag=tag)["image"]["imageId"]["imageDigest"] for tag in tags]
    return f"{REPOSITORY.replace('oaktree/web', name)}@{digests[0]}"


@pytest.fixture
def fresh(releases: Releases) -> Releases:
    """The records of the environment with none of `web`."""
    found = releases.ssm.get_parameters_by_path(Path="/oaktree/dev", Recursive=True)["Parameters"]
    for parameter in found:
        releases.ssm.delete_parameter(Name=parameter["Name"])
    return releases


@pytest.fixture(scope="module")
def second(image: str, releases: Releases) -> str:
    assert image.startswith(f"{REPOSITORY}@")
    return put_tagged(releases.ecr, "2", "2222222")


def commits(releases: Releases) -> list[tuple[int, str]]:
    return [
        (found.version, found.release.commit if found.release else "") for found in releases.history("web")
    ]


def test_the_history_has_the_newest_first_and_tells_what_cannot_be_read(
    fresh: Releases, image: str, ssm: Any
) -> None:
    assert fresh.history("web") == ()
    assert fresh.latest("web") is None
    fresh.record("web", image, COMMIT, why="a test")
    for unreadable in ("not JSON", "[]", "{}", '{"image": 1, "commit": "abcdef0", "by": "x", "at": "y"}'):
        ssm.put_parameter(Name=PARAMETER, Value=unreadable, Type="String", Overwrite=True)
        latest = fresh.latest("web")
        assert latest
        assert latest.release is None
    later = {"image": image, "commit": "abcdef1", "by": "x", "at": "y", "more": "of a later version"}
    ssm.put_parameter(Name=PARAMETER, Value=json.dumps(later), Type="String", Overwrite=True)
    versions = fresh.history("web")
    assert [recorded.version for recorded in versions] == [6, 5, 4, 3, 2, 1]
    assert versions[0] == Recorded(6, Release(image, "abcdef1", "x", "y")) == fresh.latest("web")
    assert [recorded.release for recorded in versions[1:5]] == [None] * 4
    assert versions[5].release
    assert versions[5].release.why == "a test"
    assert versions[5].release.what.digest == image.partition("@")[2]


def test_more_versions_than_a_page_has_are_all_there(fresh: Releases, image: str) -> None:
    for number in range(101):
        fresh.record("web", image, f"{number:07x}")
    assert [recorded.version for recorded in fresh.history("web")] == list(range(101, 1, -1))


def deploy(releases: Releases, image: str, commit: str) -> None:
    """Record a release, and that it is in service."""
    assert releases.record("web", image, commit)
    settle(releases)


def settle(releases: Releases, state: str = IN_SERVICE) -> None:
    latest = releases.latest("web")
    assert latest
    assert releases.settle("web", latest.version, state)


def fail_and_undo(releases: Releases, image: str, commit: str) -> None:
    """Record a release that fails, and go back to the one before as a deployment does."""
    before = releases.current("web")
    assert before
    assert releases.record("web", image, commit)
    version = releases.history("web")[0].version
    restores = restored(releases.history("web"), before.what)
    releases.record("web", before.image, before.commit, "it failed", version, restores, version)
    settle(releases)


def roll_back(releases: Releases) -> str:
    """Record what `make rollback` would, and that it is in service; returns its commit, or nothing."""
    found = previous(releases.history("web"))
    if found is None:
        return ""
    version, release = found
    assert releases.record("web", release.image, release.commit, restores=version)
    settle(releases)
    return release.commit


def test_what_became_of_a_release_is_a_version_that_terraform_reads_the_same(
    fresh: Releases, image: str, ssm: Any
) -> None:
    fresh.record("web", image, COMMIT, why="a test")
    assert fresh.settle("web", 1, IN_SERVICE) == 2
    assert fresh.settle("web", 2, IN_SERVICE) == 2
    first, second = (
        json.loads(each["Value"]) for each in ssm.get_parameter_history(Name=PARAMETER)["Parameters"]
    )
    assert (first["state"], first["since"]) == (RECORDED, "")
    assert second == first | {"state": IN_SERVICE, "since": second["since"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", second["since"])
    assert len(json.dumps(second)) < 1000, "a standard parameter holds 4,096 characters"


def test_a_release_in_service_is_not_said_to_have_failed(fresh: Releases, image: str) -> None:
    fresh.record("web", image, COMMIT, why="a test")
    assert fresh.settle("web", 1, FAILED, "failed: it answers 500") == 2
    assert fresh.settle("web", 2, IN_SERVICE) == 3
    found = fresh.current("web")
    assert found
    assert (found.state, found.why) == (IN_SERVICE, "")


def test_the_state_of_a_version_that_is_no_longer_current_is_not_recorded(
    fresh: Releases, image: str, second: str
) -> None:
    assert fresh.settle("web", 1, IN_SERVICE) == 0
    fresh.record("web", image, COMMIT)
    fresh.record("web", second, "2222222")
    assert fresh.settle("web", 1, IN_SERVICE) == 0
    assert commits(fresh) == [(2, "2222222"), (1, COMMIT)]
    with locked(fresh.ssm, LOCK, "somebody", "work"), pytest.raises(OpsError, match="somebody has been"):
        fresh.settle("web", 2, IN_SERVICE)


def test_a_rollback_after_an_undo_takes_neither_what_failed_nor_what_runs(
    fresh: Releases, image: str, second: str
) -> None:
    deploy(fresh, image, "0000001")
    deploy(fresh, image, "0000002")
    fail_and_undo(fresh, second, "2222222")
    assert roll_back(fresh) == "0000001"
    assert roll_back(fresh) == ""


def test_a_rollback_after_two_undos_in_a_row_takes_neither(fresh: Releases, image: str, second: str) -> None:
    deploy(fresh, image, "0000001")
    deploy(fresh, image, "0000002")
    fail_and_undo(fresh, second, "2222222")
    fail_and_undo(fresh, second, "3333333")
    assert roll_back(fresh) == "0000001"


def test_a_rollback_from_what_was_never_deployed_takes_what_runs(
    fresh: Releases, image: str, second: str
) -> None:
    fresh.record("web", second, "1111111")
    deploy(fresh, image, "0000002")
    fresh.record("web", second, "3333333")
    fresh.record("web", second, "4444444")
    assert roll_back(fresh) == "0000002"
    assert roll_back(fresh) == ""


def test_a_second_rollback_goes_further_back_and_not_to_what_the_first_left(
    fresh: Releases, image: str
) -> None:
    for number in range(1, 5):
        deploy(fresh, image, f"000000{number}")
    assert [roll_back(fresh) for _ in range(4)] == ["0000003", "0000002", "0000001", ""]


def test_a_rollback_after_a_rollback_and_a_release_takes_what_was_rolled_back_to(
    fresh: Releases, image: str
) -> None:
    for number in range(1, 4):
        deploy(fresh, image, f"000000{number}")
    assert roll_back(fresh) == "0000002"
    deploy(fresh, image, "0000004")
    assert [roll_back(fresh) for _ in range(3)] == ["0000002", "0000001", ""]


def test_a_release_whose_last_deployment_failed_is_not_taken_although_it_was_in_service(
    fresh: Releases, image: str
) -> None:
    for number in range(1, 4):
        deploy(fresh, image, f"000000{number}")
    fail_and_undo(fresh, image, "0000002")
    assert roll_back(fresh) == "0000001"
    deploy(fresh, image, "0000002")
    deploy(fresh, image, "0000005")
    assert roll_back(fresh) == "0000002"


def test_whether_a_release_failed_is_known_by_its_last_deployment(fresh: Releases, image: str) -> None:
    def failed(commit: str) -> bool:
        return has_failed(fresh.history("web"), Image(image, commit))

    fresh.record("web", image, "0000001")
    assert not failed("0000001")
    settle(fresh, FAILED)
    fresh.record("web", image, "0000002")
    fresh.record("web", image, "0000001")
    assert failed("0000001"), "it is recorded again, but was not deployed since"
    settle(fresh)
    assert not failed("0000001")
    fail_and_undo(fresh, image, "0000002")
    assert failed("0000002")
    assert not failed("0000001")


def test_a_first_release_that_failed_is_not_taken(fresh: Releases, image: str) -> None:
    fresh.record("web", image, "0000001")
    settle(fresh, FAILED)
    deploy(fresh, image, "0000002")
    assert roll_back(fresh) == ""


def test_a_record_that_cannot_be_read_hides_none_before_it(fresh: Releases, image: str, ssm: Any) -> None:
    deploy(fresh, image, "0000001")
    ssm.put_parameter(Name=PARAMETER, Value="not JSON", Type="String", Overwrite=True)
    assert previous(fresh.history("web"))
    deploy(fresh, image, "0000002")
    assert roll_back(fresh) == "0000001"


def test_what_was_decided_on_another_version_is_refused(fresh: Releases, image: str, second: str) -> None:
    fresh.record("web", image, COMMIT, expected_version=0)
    with pytest.raises(
        OpsError,
        match=rf"{re.escape(who())} recorded {re.escape(image)} of {COMMIT} \(version 1\) meanwhile, so "
        r"nothing was recorded\. Look at `make releases ENV=dev` and try again",
    ):
        fresh.record("web", second, "2222222", expected_version=0)
    assert fresh.record("web", image, COMMIT, expected_version=0) is False
    fresh.ssm.delete_parameter(Name=PARAMETER)
    with pytest.raises(OpsError, match="Somebody removed the record meanwhile"):
        fresh.record("web", second, "2222222", expected_version=1)
    assert fresh.history("web") == ()


@dataclass(frozen=True)
class Interfering:
    """An SSM client beside which somebody writes a record, without the lock, right before it does.

    Without a value, it is the client itself that sends everything twice, as when an answer was lost.
    """

    ssm: Any
    value: str

    def put_parameter(self, **arguments: Any) -> Any:
        if not self.value:
            self.ssm.put_parameter(**arguments)
        elif arguments["Name"] == PARAMETER:
            self.ssm.put_parameter(**{**arguments, "Value": self.value})
        return self.ssm.put_parameter(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ssm, name)


def test_a_write_without_the_lock_is_noticed(fresh: Releases, image: str, second: str) -> None:
    theirs = json.dumps({"image": image, "commit": "7777777", "by": "somebody", "at": "now"})
    disturbed = replace(fresh, ssm=Interfering(fresh.ssm, theirs))
    with pytest.raises(OpsError, match="Somebody recorded a release meanwhile, so nothing was"):
        disturbed.record("web", second, "2222222")
    told = rf"somebody recorded {re.escape(image)} of 7777777 \(version 2\) at the same time, .* is version 3"
    with pytest.raises(OpsError, match=told):
        disturbed.record("web", second, "2222222")
    assert locks(fresh) == []


def test_a_write_that_was_sent_twice_since_its_answer_was_lost_is_none_of_somebody_else(
    fresh: Releases, image: str, second: str
) -> None:
    twice = replace(fresh, ssm=Interfering(fresh.ssm, ""))
    assert twice.record("web", image, COMMIT) is True
    assert twice.record("web", second, "2222222") is True
    assert commits(fresh) == [(3, "2222222"), (2, "2222222"), (1, COMMIT)]
    assert locks(fresh) == []


def locks(releases: Releases) -> list[str]:
    found = releases.ssm.get_parameters_by_path(Path="/oaktree/dev/releases-lock")["Parameters"]
    return [parameter["Name"] for parameter in found]


def test_of_many_at_once_one_wins_and_the_others_are_told_who_and_what(
    fresh: Releases, embedded: Embedded, image: str
) -> None:
    fresh.record("web", image, COMMIT)
    together = threading.Barrier(8)

    def attempt(number: int) -> bool | str:
        own = replace(fresh, ssm=embedded.client("ssm", REGION), ecr=embedded.client("ecr", REGION))
        together.wait()
        try:
            return own.record("web", image, f"{number:07x}", expected_version=1)
        except OpsError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(1, 9)))
    winner = outcomes.index(True)
    assert commits(fresh) == [(2, f"{winner + 1:07x}"), (1, COMMIT)]
    held = rf"{re.escape(who())} has been recording a release of web in dev since "
    late = rf"{re.escape(who())} recorded {re.escape(image)} of {winner + 1:07x} \(version 2\) meanwhile"
    for number, outcome in enumerate(outcomes):
        assert number == winner or re.match(f"{held}|{late}", str(outcome)), outcome
    assert locks(fresh) == []


def test_while_somebody_records_others_are_told_at_once(fresh: Releases, image: str) -> None:
    with (
        locked(fresh.ssm, LOCK, "somebody", "work"),
        pytest.raises(
            OpsError, match=r"^somebody has been recording a release of web in dev since 20.*try again"
        ),
    ):
        fresh.record("web", image, COMMIT)
    assert fresh.record("web", image, COMMIT) is True


@pytest.mark.parametrize("left", ['{"by": "somebody"}', "not JSON"])
def test_a_lock_whose_owner_died_is_taken_over_by_one(fresh: Releases, embedded: Embedded, left: str) -> None:
    fresh.ssm.put_parameter(Name=LOCK, Value=left, Type="String")
    time.sleep(2.1)
    together, inside = threading.Barrier(8), threading.Semaphore(1)

    def attempt(_: int) -> bool:
        own = embedded.client("ssm", REGION)
        together.wait()
        try:
            with locked(own, LOCK, "me", "work", stale=timedelta(seconds=1)):
                assert inside.acquire(blocking=False)
                time.sleep(0.2)
                inside.release()
        except OpsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(attempt, range(8)))
    assert locks(fresh) == []


def test_a_lock_that_was_taken_over_is_not_removed_by_its_former_owner(fresh: Releases) -> None:
    with locked(fresh.ssm, LOCK, "slow", "work"):
        fresh.ssm.put_parameter(Name=LOCK, Value="of somebody else", Overwrite=True)
    assert locks(fresh) == [LOCK]


def test_in_a_workflow_its_actor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "octocat")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert who() == user_name(os.getuid())
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert who() == "octocat (GitHub)"
