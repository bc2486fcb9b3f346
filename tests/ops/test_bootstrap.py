"""`bootstrap`, as a command, on an embedded AWS that is reached as AWS is.

The tests are one life of the small stacks, in the order they stand here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.github.oidc_provider import oidc_provider_problem
from ops.local.embedded import Embedded, start_embedded
from ops.local.firsts import COMMIT as STAND_IN_COMMIT
from ops.local.up import stop_all
from ops.rollout.bootstrap import beyond_creation
from stacks.naming import github_provider_arn
from stacks.reading import read_platform
from stacks.settings import Project
from tests.ops.conftest import ACCOUNT, ENVIRONMENT, REGION, Desk, applied_network
from tests.ops.docker_stand_in import docker_stand_in
from tests.ops.github_tokens import ISSUER, trust_github
from tests.ops.small_stacks import BUCKET
from tests.ops.test_release import put_tagged
from tests.places import ENVIRONMENTS

pytestmark = pytest.mark.e2e

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEXT = "89abcdef0123456789abcdef0123456789abcdef"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web"
SECRET = "/oaktree/dev/web/write-token-sha256"
PROD_ACCOUNT = "222222222222"


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables with which `docker` is the stand-in."""
    return docker_stand_in(tmp_path_factory.mktemp("docker"))


@pytest.fixture(scope="module")
def here(desk: Desk, embedded: Embedded, docker: Mapping[str, str]) -> Desk:
    """The desk with credentials of the project's account, on an AWS that is not the checkout's own."""
    variables = {**embedded.environment(ACCOUNT, REGION, desk.environment), **docker}
    return replace(desk, environment=variables)


def with_variables(desk: Desk, **variables: str) -> Desk:
    return replace(desk, environment={**desk.environment, **variables})


def steps(output: str) -> dict[str, tuple[str, str]]:
    """What there is to do, as it is told first."""
    lines = re.findall(r"^  (there|to do)  ([^:]+): (.*)$", output, re.MULTILINE)
    return {name: (mark, what) for mark, name, what in lines}


def results(output: str) -> dict[str, str]:
    """What became of each phase."""
    lines = re.findall(r"^[+x-] (\S.{20}) +\d+ s  (.*)$", output, re.MULTILINE)
    return {name.strip(): result for name, result in lines}


def record_of(embedded: Embedded) -> str:
    """The release record of web in dev."""
    ssm = embedded.client("ssm", REGION)
    return str(ssm.get_parameter(Name="/oaktree/dev/releases/web")["Parameter"]["Value"])


def objects(embedded: Embedded) -> list[str]:
    s3 = embedded.client("s3", REGION)
    if not s3.list_buckets()["Buckets"]:
        return []
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_a_secret_that_is_not_there_is_told_before_anything_is_done(here: Desk, embedded: Embedded) -> None:
    done = here.run("bootstrap", "--env", "dev", "--commit", COMMIT, "--yes")
    assert done.returncode == 2
    key = "environments/dev.toml: services.web.secrets.WRITE_TOKEN_SHA256"
    assert f"{key} = 'ssm:{SECRET}': account {ACCOUNT} has no such secret in {REGION}" in done.stderr
    mend = f"aws ssm put-parameter --region {REGION} --type SecureString --name {SECRET} --value"
    assert f"\n    -> {mend}" in done.stderr
    assert objects(embedded) == []
    embedded.client("ssm", REGION).put_parameter(Name=SECRET, Value="a" * 64, Type="SecureString")


def test_an_image_cannot_be_there_before_its_repository(here: Desk, embedded: Embedded) -> None:
    done = here.run("bootstrap", "--env", "dev", "--image", f"{REPOSITORY}@sha256:{'a' * 64}", "--yes")
    assert done.returncode == 2
    assert "cannot exist yet: the foundation creates its repository" in done.stderr
    done = here.run("bootstrap", "--env", "dev", "--image", "docker.io/other:latest", "--yes")
    assert done.returncode == 2
    assert "IMAGE=docker.io/other:latest is not an image of this service by digest" in done.stderr
    assert objects(embedded) == []


def test_an_oidc_provider_that_exists_is_told_before_anything_is_done(here: Desk, embedded: Embedded) -> None:
    iam = embedded.client("iam", REGION)
    trust_github(iam)
    arn = github_provider_arn(ACCOUNT)
    done = here.run("bootstrap", "--env", "dev", "--commit", COMMIT, "--yes")
    assert done.returncode == 2
    assert f"{arn} exists, and the foundation's state does not have it" in done.stderr
    assert f'Set accounts_with_oidc_provider = ["{ACCOUNT}"] in environments/project.toml' in done.stderr
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert objects(embedded) == []


def test_settings_and_account_are_compared_about_the_oidc_provider(embedded: Embedded) -> None:
    account = "555555555555"
    iam = embedded.client("iam", REGION, account)
    settings = read_platform(ENVIRONMENTS).project
    listed = settings.model_copy(update={"accounts_with_oidc_provider": (account,)})

    def problem(project: Project, is_managed: bool = False) -> str:
        return oidc_provider_problem(project, account, iam, is_managed)

    assert problem(settings) == problem(settings, is_managed=True) == ""
    assert "does not exist. Take the account out of the list, so that the foundation" in problem(listed)
    trust_github(iam)
    assert problem(listed) == problem(settings, is_managed=True) == ""
    assert "AWS refuses a second one" in problem(settings)
    assert "its next apply would delete it. Take the account out" in problem(listed, is_managed=True)
    arn = github_provider_arn(account)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["another.example.com"])
    assert problem(listed).endswith(
        f"does not have the audience sts.amazonaws.com: aws iam add-client-id-to-open-id-connect-provider "
        f"--open-id-connect-provider-arn {arn} --client-id sts.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", "Nobody answered; nothing was done. YES=1 goes on without asking."),
        ("prod\n", "'prod' is not the environment's name; nothing was done."),
    ],
)
def test_it_tells_what_it_will_do_and_does_nothing_unasked(
    here: Desk, embedded: Embedded, answer: str, told: str
) -> None:
    done = here.run("bootstrap", "--env", "dev", "--commit", COMMIT, answer=answer)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stdout.startswith(f"dev, in account {ACCOUNT}, {REGION}:\n")
    assert (
        "\n  note   environments/project.toml has no repository_owner_id and repository_id: " in done.stdout
    )
    assert "; `gh api repos/example/oaktree --jq '.owner.id, .id'` prints repository_owner_id" in done.stdout
    assert steps(done.stdout) == {
        "foundation": ("to do", "apply, then move its state to the bucket"),
        "release of web": ("to do", f"build oaktree/web:{COMMIT} with docker, push and record it"),
        "dev-network": ("to do", "apply"),
        "dev-data": ("to do", "apply"),
        "dev-service": ("to do", "apply"),
    }
    assert objects(embedded) == []


def test_a_failed_build_leaves_a_foundation_and_says_how_to_go_on(here: Desk, embedded: Embedded) -> None:
    failing = with_variables(here, STATUS="1")
    done = failing.run("bootstrap", "--env", "dev", "--commit", COMMIT, answer="dev\n")
    assert done.returncode == 1
    assert "The phase images failed. `docker buildx build` failed with status 1" in done.stderr
    assert "What was done before stays: `make bootstrap ENV=dev` resumes." in done.stderr
    assert results(done.stdout)["foundation"] == "2 added, 0 changed, 0 destroyed"
    assert objects(embedded) == ["foundation.tfstate"]


def test_it_goes_on_from_there(here: Desk, embedded: Embedded) -> None:
    network = here.checkout.environments / "network.txt"
    before = network.read_text()
    network.write_text("${missing.reference}")
    done = here.run("bootstrap", "--env", "dev", "--commit", COMMIT, "--yes")
    network.write_text(before)
    assert done.returncode == 1
    assert steps(done.stdout)["foundation"] == ("there", "2 resources; what is missing is added")
    found = results(done.stdout)
    assert (found["foundation"], found["images"]) == ("unchanged", "for web")
    assert (found["releases"], found["dev-network"]) == ("recorded for web", "failed")
    record = embedded.client("ssm", REGION).get_parameter(Name="/oaktree/dev/releases/web")["Parameter"]
    release = json.loads(record["Value"])
    assert release["image"].startswith(f"{REPOSITORY}@sha256:")
    assert (release["commit"], release["why"]) == (COMMIT, "first release")


def test_it_ends_with_the_service_and_builds_nothing_twice(
    here: Desk, embedded: Embedded, docker: Mapping[str, str]
) -> None:
    calls = Path(docker["CALLS"])
    calls.write_text("")
    done = here.run("bootstrap", "--env", "dev", "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done
    mark, what = steps(done.stdout)["release of web"]
    assert mark == "there"
    assert what.endswith(f" of {COMMIT}")
    found = results(done.stdout)
    assert (found["images"], found["releases"]) == ("unchanged", "unchanged")
    assert found["dev-network"] == "1 added, 0 changed, 0 destroyed"
    assert found["dev-data"] == "1 added, 0 changed, 0 destroyed"
    assert found["dev-service"] == "4 added, 0 changed, 0 destroyed"
    assert calls.read_text() == ""
    assert sorted(objects(embedded)) == [
        f"{stack}.tfstate" for stack in ("dev-data", "dev-network", "dev-service", "foundation")
    ]
    assert "dev is deployed. `make status ENV=dev` shows its services." in done.stdout


def test_once_more_changes_nothing(here: Desk) -> None:
    done = here.run("bootstrap", "--env", "dev", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert {mark for mark, _ in steps(done.stdout).values()} == {"there"}
    assert {name: result for name, result in results(done.stdout).items() if result != "unchanged"} == {
        "synthesis": "done"
    }


def test_another_image_than_the_one_recorded_is_no_first_one(here: Desk, embedded: Embedded) -> None:
    image = put_tagged(embedded.client("ecr", REGION), "e", "eeeeeee")
    done = here.run("bootstrap", "--env", "dev", "--image", image, "--yes")
    assert done.returncode == 2
    assert "dev has a release of web already" in done.stderr
    assert "`make deploy ENV=dev IMAGE=...` deploys another one." in done.stderr


def test_an_environment_with_several_images_takes_them_all(here: Desk, embedded: Embedded) -> None:
    ecr = embedded.client("ecr", REGION)
    web = json.loads(record_of(embedded))["image"]
    ecr.create_repository(repositoryName="oaktree/worker")
    worker = put_tagged(ecr, "d", "ddddddd", name="oaktree/worker")
    file = here.checkout.environments / "dev.toml"
    before = file.read_text()
    file.write_text(f"{before}\n[services.worker]\nkind = 'worker'\ndockerfile = 'worker/Dockerfile'\n")
    named = json.dumps({"web": web, "worker": worker})
    done = here.run("bootstrap", "--env", "dev", "--images", named)
    both = here.run("bootstrap", "--env", "dev", "--images", named, "--image", web)
    file.write_text(before)
    assert steps(done.stdout)["release of web"][0] == "there"
    assert steps(done.stdout)["release of worker"] == ("to do", f"record {worker} of ddddddd")
    assert "Nobody answered; nothing was done." in done.stderr
    assert "IMAGE= and IMAGES= are both given. Use one of them." in both.stderr


def test_an_image_that_is_gone_is_built_again_but_nothing_that_is_there_is_changed(
    here: Desk, embedded: Embedded
) -> None:
    """A record outlives an environment that was destroyed, and its registry."""
    ecr = embedded.client("ecr", REGION)
    (image,) = ecr.describe_images(repositoryName="oaktree/web", imageIds=[{"imageTag": COMMIT}])[
        "imageDetails"
    ]
    ecr.batch_delete_image(repositoryName="oaktree/web", imageIds=[{"imageDigest": image["imageDigest"]}])
    network = here.checkout.environments / "network.txt"
    before = network.read_text()
    network.write_text("changed")
    done = here.run("bootstrap", "--env", "dev", "--commit", NEXT, "--yes")
    network.write_text(before)
    assert done.returncode == 1
    what = f"build oaktree/web:{NEXT} with docker, push and record it"
    assert steps(done.stdout)["release of web"] == ("to do", what)
    found = results(done.stdout)
    assert (found["images"], found["releases"]) == ("for web", "recorded for web")
    assert json.loads(record_of(embedded))["commit"] == NEXT
    assert "dev-network exists, and the plan changes it (terraform_data.network)." in done.stderr
    assert "`make plan`" in done.stderr
    assert applied_network(embedded) == before


def test_a_state_that_is_somewhere_else_is_told(here: Desk, embedded: Embedded) -> None:
    s3 = embedded.client("s3", REGION)
    state = s3.get_object(Bucket=BUCKET, Key="foundation.tfstate")["Body"].read()
    s3.delete_object(Bucket=BUCKET, Key="foundation.tfstate")
    done = here.run("bootstrap", "--env", "dev", "--yes")
    s3.put_object(Bucket=BUCKET, Key="foundation.tfstate", Body=state)
    assert done.returncode == 1
    assert f"The state bucket {BUCKET} exists, but neither it nor this directory has the state" in done.stderr


@pytest.fixture
def prod(here: Desk, embedded: Embedded) -> Iterator[Desk]:
    """An environment in another account, with its credentials."""
    file = here.checkout.environments / "prod.toml"
    text = ENVIRONMENT.replace(ACCOUNT, PROD_ACCOUNT).replace("10.10", "10.30").replace("/dev/", "/prod/")
    file.write_text(text)
    yield with_variables(here, **embedded.environment(PROD_ACCOUNT, REGION, {}))
    file.unlink()


def test_an_environment_elsewhere_needs_an_image_and_its_own_credentials(here: Desk, prod: Desk) -> None:
    done = here.run("bootstrap", "--env", "prod", "--yes")
    assert done.returncode == 1
    assert f"those of account {ACCOUNT}; this belongs to account {PROD_ACCOUNT}." in done.stderr
    done = prod.run("bootstrap", "--env", "prod", "--yes")
    assert done.returncode == 2
    assert "IMAGE is missing: prod is in another account than the registry" in done.stderr


def test_an_environment_elsewhere_comes_after_the_projects_foundation(prod: Desk, tmp_path: Path) -> None:
    empty = start_embedded(tmp_path, ACCOUNT)
    try:
        variables = empty.environment(PROD_ACCOUNT, REGION, {})
        done = with_variables(prod, **variables).run("bootstrap", "--env", "prod", "--yes")
    finally:
        stop_all(tmp_path)
    assert done.returncode == 1
    assert f"the state bucket {BUCKET} of account {ACCOUNT} does not exist. Apply its" in done.stderr


def test_on_the_checkouts_own_embedded_aws_no_image_is_needed(desk: Desk) -> None:
    own = start_embedded(desk.checkout.local, ACCOUNT)
    own.client("ssm", REGION).put_parameter(Name=SECRET, Value="a" * 64, Type="SecureString")
    here = replace(desk, environment=own.environment(ACCOUNT, REGION, desk.environment))
    done = here.run("bootstrap", "--env", "dev", "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done
    record = own.client("ssm", REGION).get_parameter(Name="/oaktree/dev/releases/web")["Parameter"]
    assert json.loads(record["Value"])["commit"] == STAND_IN_COMMIT
    assert re.search(r"^dev web: http://127\.0\.0\.1:\d+$", done.stdout, re.MULTILINE)
    done = here.run("up")
    assert (done.returncode, done.stderr) == (0, ""), done
    unchanged = ("foundation", "releases", "dev-network", "dev-data", "dev-service", "app web")
    assert [results(done.stdout)[name] for name in unchanged] == ["unchanged"] * 6
    assert_another_account_needs_an_image(here, own)


def assert_another_account_needs_an_image(here: Desk, own: Embedded) -> None:
    """There too: what stands for an image can be put by the project's own account only."""
    file = here.checkout.environments / "prod.toml"
    file.write_text(ENVIRONMENT.replace(ACCOUNT, PROD_ACCOUNT).replace("10.10", "10.30"))
    done = with_variables(here, **own.environment(PROD_ACCOUNT, REGION, {})).run("bootstrap", "--env", "prod")
    file.unlink()
    assert done.returncode == 2
    assert "IMAGE is missing: prod is in another account than the registry" in done.stderr


ACTIONS = st.sampled_from((["no-op"], ["read"], ["create"], ["update"], ["delete"], ["create", "delete"]))


@given(st.lists(st.tuples(ACTIONS, st.booleans())))
def test_only_creation_and_what_it_left_half_made_is_a_first_deployment(
    changes: list[tuple[list[str], bool]],
) -> None:
    plan = {
        "resource_changes": [
            {
                "address": f"a.{number}",
                "change": {"actions": actions},
                **({"action_reason": "replace_because_tainted"} if tainted and len(actions) == 2 else {}),
            }
            for number, (actions, tainted) in enumerate(changes)
        ]
    }
    assert beyond_creation(plan) == [
        f"a.{number}"
        for number, (actions, tainted) in enumerate(changes)
        if "update" in actions or ("delete" in actions and not (tainted and "create" in actions))
    ]
