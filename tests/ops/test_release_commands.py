"""`release`, `releases`, `promote` and `rollback`, as commands, against the embedded AWS.

The tests are one life of three environments, in the order they stand here.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ops.local.embedded import Embedded
from ops.local.firsts import put_image
from ops.releases.records import IN_SERVICE, Releases, who
from stacks.reading import read_platform
from tests.ops.conftest import ACCOUNT, ENVIRONMENT, REGION, Desk
from tests.ops.test_release import put_tagged

pytestmark = pytest.mark.e2e

PROD_ACCOUNT = "222222222222"
FIRST, SECOND, THIRD = "1111111", "2222222", "3333333"

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def here(desk: Desk, embedded: Embedded) -> Desk:
    """A desk with the project's credentials, and two more environments, of which one is elsewhere."""
    for name, account, cidr in (("staging", ACCOUNT, "10.20"), ("prod", PROD_ACCOUNT, "10.30")):
        text = ENVIRONMENT.replace(ACCOUNT, account).replace("10.10", cidr).replace("/dev/", f"/{name}/")
        (desk.checkout.environments / f"{name}.toml").write_text(text)
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture(scope="module")
def elsewhere(here: Desk, embedded: Embedded) -> Desk:
    """The same with the credentials of prod's account."""
    return replace(here, environment=embedded.environment(PROD_ACCOUNT, REGION, here.environment))


@pytest.fixture(scope="module")
def images(here: Desk, embedded: Embedded) -> dict[str, str]:
    """Images by commit, and one without."""
    ecr = embedded.client("ecr", REGION)
    ecr.create_repository(repositoryName="oaktree/web")
    nameless = put_image(ecr, read_platform(here.checkout.environments).project, "web")
    tagged = {commit: put_tagged(ecr, commit[0], commit) for commit in (FIRST, SECOND, THIRD)}
    several = put_tagged(ecr, "4", "4444444", "4444445")
    return {**tagged, "": nameless, "several": several}


def rows(done: Done) -> list[Sequence[str]]:
    """The lines of the list of releases: mark, version, commit, state and why."""
    assert (done.returncode, done.stderr) == (0, ""), done
    pattern = (
        r"^(\*?) +(\d+) +\S+Z +([0-9a-f]+) +[0-9a-f]{12} +(recorded|in service|failed|undone) +"
        + re.escape(who())
        + r" *(.*)$"
    )
    return [match.groups() for match in re.finditer(pattern, done.stdout, re.MULTILINE)]


def refused(done: Done, told: str, status: int = 1) -> None:
    assert (done.returncode, done.stdout) == (status, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_was_released_yet(here: Desk, images: dict[str, str]) -> None:
    assert images[FIRST] != images[SECOND]
    assert here.run("releases", "--env", "dev").stdout == "dev web: never released.\n"
    refused(
        here.run("rollback", "--env", "dev"), "dev has no release of web; there is nothing to go back to."
    )
    refused(
        here.run("promote", "--from", "dev", "--to", "staging"),
        "dev has no release of web that can be read; nothing to promote.",
    )


def test_a_release_takes_the_commit_from_the_tag(here: Desk, images: dict[str, str]) -> None:
    done = here.run("release", "--env", "dev", "--image", images[FIRST])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"dev web: {images[FIRST]} is recorded; `make deploy ENV=dev` deploys it.\n"
    assert here.run("release", "--env", "dev", "--image", images[FIRST]).stdout == "dev web: unchanged.\n"
    assert rows(here.run("releases", "--env", "dev")) == [("*", "1", FIRST, "recorded", "")]


@pytest.mark.parametrize(
    ("image", "told"), [("", "its tags are first"), ("several", "its tags are 4444444, 4444445")]
)
def test_a_tag_that_does_not_tell_the_commit_is_told(
    here: Desk, images: dict[str, str], image: str, told: str
) -> None:
    done = here.run("release", "--env", "dev", "--image", images[image])
    refused(done, f"{images[image]}: {told}. Give the commit: COMMIT=<commit>.", status=2)


def test_an_image_that_is_not_there_is_told_before_its_commit(here: Desk, images: dict[str, str]) -> None:
    absent = images[FIRST][:-64] + "a" * 64
    refused(here.run("release", "--env", "dev", "--image", absent), "has no image sha256:aaaa")


def test_a_promotion_copies_the_record(here: Desk, images: dict[str, str]) -> None:
    assert here.run("release", "--env", "dev", "--image", images[SECOND]).returncode == 0
    done = here.run("promote", "--from", "dev", "--to", "staging", "--service", "web")
    assert done.stdout.startswith(f"staging web: {images[SECOND]} is recorded; `make deploy ENV=staging`")
    assert here.run("promote", "--from", "dev", "--to", "staging").stdout == "staging web: unchanged.\n"
    assert rows(here.run("releases", "--env", "staging")) == [
        ("*", "1", SECOND, "recorded", "promoted from dev version 2")
    ]


def test_a_promotion_to_another_account_prints_what_does_the_same_there(
    here: Desk, elsewhere: Desk, images: dict[str, str]
) -> None:
    refused(
        elsewhere.run("promote", "--from", "staging", "--to", "prod"),
        f"those of account {PROD_ACCOUNT}; staging is in account {ACCOUNT}.",
    )
    done = here.run("promote", "--from", "staging", "--to", "prod")
    refused(
        done, f"prod is in account {PROD_ACCOUNT}. With that account's credentials, this does the same:\n"
    )
    command = done.stderr.splitlines()[-1]
    assert command == f"make release ENV=prod SERVICE=web IMAGE={images[SECOND]} COMMIT={SECOND}"
    options = [word.partition("=") for word in command.split()[2:]]
    arguments = [part for name, _, value in options for part in (f"--{name.lower()}", value)]
    assert elsewhere.run("release", *arguments).returncode == 0
    assert rows(elsewhere.run("releases", "--env", "prod")) == [("*", "1", SECOND, "recorded", "")]


def test_a_rollback_without_a_release_that_was_in_service_is_refused(here: Desk) -> None:
    done = here.run("rollback", "--env", "dev")
    refused(done, "dev has no release of web to go back to: none was in service before the current one")
    assert "`make rollback ENV=dev TO=<version>` goes back to any of them." in done.stderr


def test_a_rollback_records_the_release_that_was_in_service_before(
    here: Desk, embedded: Embedded, images: dict[str, str]
) -> None:
    platform = read_platform(here.checkout.environments)
    dev = platform.environments["dev"]
    releases = Releases(platform.project, dev, embedded.client("ssm", REGION), embedded.client("ecr", REGION))
    for commit in (FIRST, SECOND):
        assert here.run("release", "--env", "dev", "--image", images[commit]).returncode == 0
        assert releases.settle("web", releases.history("web")[0].version, IN_SERVICE)
    assert here.run("release", "--env", "dev", "--image", images[THIRD]).returncode == 0
    failed = releases.history("web")[0].version
    assert releases.record("web", images[SECOND], SECOND, "it failed", failed, failed - 1, failed)
    done = here.run("rollback", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"dev web: version 4 is recorded again, {images[FIRST]} of {FIRST}. `make deploy ENV=dev` "
        "deploys it.\n"
    )
    # The versions 4 and 6 say that 3 and 5 are in service.
    assert rows(here.run("releases", "--env", "dev")) == [
        ("*", "9", FIRST, "recorded", "rollback to version 4"),
        ("", "8", SECOND, "recorded", "it failed"),
        ("", "7", THIRD, "undone", ""),
        ("", "6", SECOND, "in service", ""),
        ("", "4", FIRST, "in service", ""),
        ("", "2", SECOND, "recorded", ""),
        ("", "1", FIRST, "recorded", ""),
    ]


def test_a_rollback_goes_to_a_version_a_commit_or_a_digest(here: Desk, images: dict[str, str]) -> None:
    assert here.run("release", "--env", "dev", "--image", images[THIRD]).returncode == 0
    for to, commit, version in (
        ("1", FIRST, 1),
        (SECOND, SECOND, 8),
        (images[FIRST], FIRST, 11),
        (images[THIRD].partition("@")[2][:20], THIRD, 10),
    ):
        done = here.run("rollback", "--env", "dev", "--to", to)
        assert f"version {version} is recorded again, {images[commit]} of {commit}." in done.stdout


@pytest.mark.parametrize(
    ("to", "status", "told"),
    [
        ("10", 1, "Version 10 is the release that is recorded now"),
        ("99", 1, "There is no version 99: SSM has kept the versions 1 to 16. `make releases` lists them."),
        ("15", 1, "Version 15 is not a release record that can be read."),
        ("abcdef0", 1, "No version that SSM has kept matches abcdef0."),
        ("0", 2, "TO=0 is not a version's number, a commit or a digest"),
        ("latest", 2, "TO=latest is not a version's number"),
        ("sha256:11", 2, "TO=sha256:11 is not a version's number"),
    ],
)
def test_what_cannot_be_gone_back_to_is_told(
    here: Desk, embedded: Embedded, to: str, status: int, told: str
) -> None:
    ssm = embedded.client("ssm", REGION)
    name = "/oaktree/dev/releases/web"
    record = ssm.get_parameter(Name=name)["Parameter"]
    if record["Version"] == 14:
        ssm.put_parameter(Name=name, Value="not JSON", Overwrite=True)
        ssm.put_parameter(Name=name, Value=record["Value"], Overwrite=True)
    refused(here.run("rollback", "--env", "dev", "--to", to), told, status)
    assert "15" in here.run("releases", "--env", "dev").stdout
    assert "cannot be read as a release record" in here.run("releases", "--env", "dev").stdout


def test_an_image_that_is_gone_is_not_gone_back_to(
    here: Desk, embedded: Embedded, images: dict[str, str]
) -> None:
    ecr = embedded.client("ecr", REGION)
    gone = images[SECOND].partition("@")[2]
    ecr.batch_delete_image(repositoryName="oaktree/web", imageIds=[{"imageDigest": gone}])
    before = here.run("releases", "--env", "dev").stdout
    done = here.run("rollback", "--env", "dev", "--to", SECOND)
    refused(done, f"cannot be restored: the registry no longer has {images[SECOND]}.")
    assert here.run("releases", "--env", "dev").stdout == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("promote", "--from", "dve", "--to", "dev"),
            "FROM=dve is not an environment. Use one of dev, prod, staging",
        ),
        (("promote", "--from", "dev"), "TO is missing. Use one of dev, prod, staging. Write"),
        (("promote", "--to", "dev"), "FROM is missing"),
        (("rollback",), "ENV is missing"),
        (
            ("releases", "--env", "dev", "--service", "api"),
            "SERVICE=api is not the name of an image of dev. Use one of web.",
        ),
        (("release", "--env", "dev"), "IMAGE= is not an image of this service by digest"),
    ],
)
def test_bad_input_is_told_without_credentials(
    desk: Desk, here: Desk, arguments: Sequence[str], told: str
) -> None:
    assert here.checkout == desk.checkout
    refused(desk.run(*arguments), told, status=2)


@pytest.mark.parametrize("command", [("releases",), ("rollback",), ("rollback", "--to", "1")])
def test_credentials_of_another_account_are_refused(elsewhere: Desk, command: Sequence[str]) -> None:
    done = elsewhere.run(*command, "--env", "dev")
    refused(done, f"those of account {PROD_ACCOUNT}; this belongs to account {ACCOUNT}.")


def test_two_commands_at_once_leave_one_release_or_tell(here: Desk, images: dict[str, str]) -> None:
    before = len(rows(here.run("releases", "--env", "staging")))
    begun = [
        here.begin("release", "--env", "staging", "--image", images[commit]) for commit in (FIRST, THIRD)
    ]
    ended = []
    for process in begun:
        with process:
            ended.append(process.communicate(timeout=60))
    statuses = [process.returncode for process in begun]
    assert set(statuses) <= {0, 1}
    for status, (_, errors) in zip(statuses, ended, strict=True):
        assert bool(status) == bool(
            re.search("meanwhile|has been recording a release of web in staging", errors)
        )
    after = rows(here.run("releases", "--env", "staging"))
    assert len(after) - before == statuses.count(0) >= 1
