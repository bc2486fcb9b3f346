"""A platform that is up, for each module its own, and GitHub beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.workflows import Runner
from tests.e2e import delivery, snapshot
from tests.e2e import shop as the_shop
from tests.e2e.clone import Clone, copied
from tests.e2e.desk import REGION
from tests.e2e.roles import note_permissions
from tests.ops.docker_stand_in import docker_stand_in
from tests.ops.github_tokens import serving_tokens
from tests.review.fake_github import REPOSITORY, TOKEN, FakeGitHub, running_github


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where three environments in two accounts were brought up; nothing runs there."""
    return snapshot.made_once(tmp_path_factory, "environments", delivery.bring_up)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shop was brought up, with what an account had before; nothing runs there."""
    return snapshot.made_once(tmp_path_factory, "shop", the_shop.bring_up)


@pytest.fixture(scope="module")
def desk(brought_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone in which they are up, of its own for each module."""
    variables = docker_stand_in(tmp_path_factory.mktemp("docker"))
    made = copied(brought_up / "clone", tmp_path_factory.mktemp("clone"), delivery.HOME, variables)
    yield made
    note_permissions(made.embedded, REGION, made.memory, {*delivery.ACCOUNTS.values()})
    made.make(delivery.HOME, "down")


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with running_github() as running:
        yield running


@pytest.fixture(scope="module")
def runner(desk: Clone, github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """GitHub's runner on this machine: it has no key of AWS."""
    with serving_tokens() as tokens:
        yield Runner(
            checkout=desk.directory,
            scratch=tmp_path_factory.mktemp("runner"),
            repository=REPOSITORY,
            tokens=tokens,
            github_token=TOKEN,
            variables={
                **desk.variables,
                "GITHUB_API_URL": github.url,
                "AWS_ENDPOINT_URL": desk.embedded.endpoint,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            configured={"DELIVERY": "on"},
            identity=delivery.IDENTITY,
        )
