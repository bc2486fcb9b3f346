"""The doctor: each check against things as they are and as they should not be, and the command."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from ops.core.checkout import SOURCE, Checkout
from ops.local.embedded import Embedded
from ops.look import doctor, doctor_desk, doctor_terraform
from ops.look.doctor import Check, Finding
from ops.setup import COMPLETE
from ops.terraform import providers
from stacks.naming import github_provider_arn
from tests.ops.amending import amending
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.github_tokens import trust_github
from tests.ops.small_stacks import BUCKET
from tests.stacks.platform_files import environment, write_platform

LIST = """
-c app.txt
first>=1 # a remark

Second.name[x]
"""
LOCK = """
# made by make lock
first==1.0 \\
    --hash=sha256:abc
Second_Name==2.1 ; python_version < "3" \\
    --hash=sha256:def
third==3 ; python_version >= "3" \\
    --hash=sha256:ghi
"""


@pytest.fixture(scope="module")
def here(embedded: Embedded, desk: Desk) -> Desk:
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source tree with lists and locks that fit."""
    (tmp_path / "requirements").mkdir()
    for name in doctor_desk.LOCKED:
        (tmp_path / "requirements" / f"{name}.in").write_text(
            "-c app.txt\nfirst>=1 # a remark\n\nSecond.name[x]\n"
        )
        (tmp_path / "requirements" / f"{name}.txt").write_text(LOCK)
    return tmp_path


def only(found: Iterator[Finding]) -> tuple[str, str, str]:
    (finding,) = found
    return finding.level, finding.text, finding.mend


def test_what_goes_wrong_within_a_check_is_what_it_found() -> None:
    def fail() -> Iterator[Finding]:
        yield Finding("first", "ok", "is lost, since a check is told as a whole")
        raise KeyError("x")

    fine = Finding("fine", "ok", "so it is")
    found = list(doctor.examine((Check("failing", fail), Check("fine", lambda: [fine]))))
    assert found == [Finding("failing", "wrong", "could not be checked: KeyError: 'x'"), fine]


def test_a_check_that_does_not_end_is_given_up() -> None:
    def endless() -> list[Finding]:
        Event().wait()
        return []

    (found,) = doctor.examine([Check("endless", endless)], limit=0.1)
    assert (found.name, found.level, found.text) == ("endless", "wrong", "did not answer within 0.1 s")


def test_the_locks_of_this_project_fit_their_lists() -> None:
    level, text, _ = only(doctor_desk.locks(SOURCE))
    assert (level, text) == ("ok", "requirements/*.txt have all that requirements/*.in ask for")


def test_a_list_that_asks_for_more_than_its_lock_is_told(source: Path) -> None:
    assert only(doctor_desk.locks(source))[0] == "ok"
    with (source / "requirements" / "app.in").open("a") as file:
        file.write("fourth\nfirst>1\n")
    level, text, mend = only(doctor_desk.locks(source))
    assert (level, mend) == ("wrong", "make lock")
    assert text == "app.txt lacks fourth; app.txt has first 1.0, app.in requires first>1"


def test_a_lock_is_read_for_this_machine_or_for_any() -> None:
    assert doctor_desk.locked_versions(LOCK) == {"first": "1.0", "third": "3"}
    assert doctor_desk.locked_versions(LOCK, everywhere=True)["second-name"] == "2.1"


def test_packages_of_other_versions_are_told(source: Path) -> None:
    lock = source / "requirements" / "dev.txt"
    lock.write_text("pytest==0.1\nRich==0.2\nnot-there==1\nhttpx==0.3 \\\n")
    level, text, mend = only(doctor_desk.packages(source))
    assert (level, mend) == ("wrong", "touch requirements/dev.txt && make setup")
    assert text.startswith("pytest is 9")
    assert text.endswith("locked 0.2; not-there 1 is missing; 1 more")


def test_another_python_than_that_of_the_environment_is_noted(source: Path) -> None:
    assert only(doctor_desk.python(source))[0] == "note"


def test_an_environment_that_is_not_whole_or_older_than_its_locks_is_told(source: Path) -> None:
    (source / ".venv").symlink_to(SOURCE / ".venv")
    written = (source / COMPLETE).stat().st_mtime
    for name in doctor_desk.LOCKED:
        os.utime(source / "requirements" / f"{name}.txt", (written - 1, written - 1))
    assert only(doctor_desk.python(source))[0] == "ok"
    os.utime(source / "requirements" / "dev.txt", (written + 1, written + 1))
    assert only(doctor_desk.python(source))[1:] == (".venv is older than requirements/dev.txt", "make setup")


def test_a_node_that_does_not_run_is_told(source: Path) -> None:
    level, text, mend = only(doctor_desk.node(source))
    assert (level, text, mend) == ("wrong", ".venv/bin/node does not run", "rm -rf .venv && make setup")


def test_a_directory_without_a_commit_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(doctor_desk.git(tmp_path))[0] == "note"
    monkeypatch.setenv("PATH", "/nowhere")
    assert only(doctor_desk.git(tmp_path))[0] == "wrong"


def test_without_an_engine_only_images_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    level, text, mend = only(doctor_desk.engine())
    assert (level, text) == (
        "note",
        "neither docker nor podman answers; make image and make up RUN=image need one",
    )
    assert mend.startswith("Install and start Docker Engine")


def test_what_only_exec_needs_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    level, text, mend = only(doctor_desk.optional("AWS CLI", "aws"))
    assert (level, text) == ("note", "aws is not on PATH; make exec needs it")
    assert mend.startswith("Install the AWS CLI")
    (tmp_path / "aws").write_text("#!/nowhere\n")
    (tmp_path / "aws").chmod(0o755)
    assert only(doctor_desk.optional("AWS CLI", "aws"))[1] == "aws does not run; make exec needs it"


def test_settings_that_give_something_up_are_noted(checkout: Checkout) -> None:
    network = 'network = { cidr = "10.10.0.0/16", tasks = "public", nat = "none" }\n'
    write_platform(checkout.environments, dev=environment(network=network))
    _, note = doctor_desk.settings(checkout)
    begin = f'{checkout.environments}/dev.toml: network.tasks = "public": '
    assert (note.level, note.text.startswith(begin)) == ("note", True)


def test_settings_that_cannot_be_read_are_told_with_status_1(desk: Desk) -> None:
    path = desk.checkout.environments / "dev.toml"
    before = path.read_text()
    path.write_text(before + "\n[datas]\n")
    try:
        done = desk.run("doctor")
    finally:
        path.write_text(before)
    assert done.returncode == 1
    assert f"x settings         {path}: datas: unknown key" in done.stdout
    assert "-> Fix the file; docs/settings.md says what is allowed." in done.stdout


def source_of(checkout: Checkout, **variables: str) -> list[tuple[str, str]]:
    return [(found.level, found.text) for found in doctor_terraform.provider_source(checkout, variables)]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose one stack asks for the AWS provider 5.100.0."""
    made = Checkout(tmp_path)
    file = made.configuration("dev-network")
    file.parent.mkdir(parents=True)
    required = {"aws": {"source": "aws", "version": "5.100.0"}}
    file.write_text(json.dumps({"terraform": {"required_providers": required}}))
    return made


def test_where_the_provider_comes_from_is_told(checkout: Checkout) -> None:
    here = checkout.directory
    ((level, text),) = source_of(checkout, TF_PLUGIN_MIRROR=str(here / "none"))
    assert (level, text) == ("wrong", f"TF_PLUGIN_MIRROR={here / 'none'} is not a directory")
    mirror = here / "mirror"
    (mirror / "registry.terraform.io").mkdir(parents=True)
    assert source_of(checkout, TF_PLUGIN_MIRROR=str(mirror))[0][0] == "note"
    provider = mirror / "registry.terraform.io" / "hashicorp" / "aws"
    (provider / "5.99.0").mkdir(parents=True)
    assert source_of(checkout, TF_PLUGIN_MIRROR=str(mirror)) == [
        ("wrong", f"TF_PLUGIN_MIRROR={mirror} does not hold hashicorp/aws 5.100.0")
    ]
    (provider / "terraform-provider-aws_5.100.0_linux_amd64.zip").touch()
    assert source_of(checkout, TF_PLUGIN_MIRROR=str(mirror))[0][0] == "ok"
    named = source_of(checkout, TF_CLI_CONFIG_FILE=str(here / "none"), TF_PLUGIN_MIRROR=str(mirror))
    assert [level for level, _ in named] == ["note", "ok"]
    (here / "some.rc").touch()
    assert source_of(checkout, TF_CLI_CONFIG_FILE=str(here / "some.rc"))[0][0] == "ok"


def test_a_provider_locked_at_another_version_is_told(checkout: Checkout) -> None:
    assert only(doctor_terraform.provider_locks(checkout)) == ("ok", "hashicorp/aws 5.100.0", "")
    form = 'provider "registry.opentofu.org/hashicorp/aws" {\n  version     = "VERSION"\n  hashes = []\n}\n'
    ours = checkout.state / "terraform.lock.hcl"
    theirs = checkout.aws / "dev-network" / ".terraform.lock.hcl"
    theirs.parent.mkdir(parents=True)
    ours.write_text(form.replace("VERSION", "5.100.0"))
    theirs.write_text(form.replace("VERSION", "5.99.0"))
    level, text, mend = only(doctor_terraform.provider_locks(checkout))
    assert (level, text) == ("wrong", "hashicorp/aws is locked at 5.99.0, the stacks ask for 5.100.0")
    assert mend == f"rm {theirs} (the next plan writes it again)"
    theirs.write_text(form.replace("VERSION", "5.99.0").replace("opentofu.org", "terraform.io"))
    assert only(doctor_terraform.provider_locks(checkout)) == ("ok", "hashicorp/aws 5.100.0", "")


def test_the_projects_own_lock_at_another_version_is_to_be_renewed(checkout: Checkout) -> None:
    file = checkout.configuration("dev-network")
    file.write_text(file.read_text().replace("5.100.0", "5.101.0"))
    level, text, mend = only(doctor_terraform.provider_locks(checkout))
    assert (level, text) == ("wrong", "hashicorp/aws is locked at 5.100.0, the stacks ask for 5.101.0")
    assert mend == f"renew {providers.LOCK_FILE} (docs/platform.md)"


def test_a_synthesis_older_than_a_settings_file_is_noted(checkout: Checkout) -> None:
    checkout.environments.mkdir()
    assert only(doctor_terraform.synthesis(checkout))[1].startswith("nothing synthesized yet")
    manifest = checkout.synthesized / "manifest.json"
    manifest.touch()
    later = time.time() + 3600
    os.utime(manifest, (later, later))
    assert only(doctor_terraform.synthesis(checkout))[0] == "ok"
    file = checkout.environments / "dev.toml"
    file.touch()
    os.utime(file, (later + 1, later + 1))
    level, text, mend = only(doctor_terraform.synthesis(checkout))
    assert (level, mend) == ("note", "make synth")
    assert text == "cdktf.out is older than dev.toml; make plan writes it again"


def test_without_a_terraform_make_setup_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    level, text, mend = only(doctor_terraform.terraform())
    assert (level, mend) == ("wrong", "make setup")
    assert text == "neither terraform nor tofu of version 1.10 or later is in .tools or on PATH"


def findings(desk: Desk, *arguments: str, **variables: str) -> tuple[int, Mapping[str, str]]:
    """Exit status, and by name what was found about AWS: mark, text, and how to fix it."""
    # To ask an engine takes longer than all else, and says nothing about AWS.
    programs = desk.checkout.directory / "programs"
    programs.mkdir(exist_ok=True)
    for program in ("git", "terraform", "tofu"):
        if (path := shutil.which(program)) and not (programs / program).exists():
            (programs / program).symlink_to(path)
    desk = replace(desk, environment={**desk.environment, "PATH": str(programs), **variables})
    done = desk.run("doctor", *arguments)
    assert done.stderr == ""
    found: dict[str, str] = {}
    name = ""
    # After an empty line it counts.
    for line in done.stdout.rpartition("\n\n")[0].splitlines():
        if line[:2] in ("+ ", "! ", "x "):
            name = line[2:18].strip()
            found[name] = f"{line[:2]}{line[19:]}"
        elif name and line.strip():
            found[name] += f"\n{line.strip()}"
    return done.returncode, found


@pytest.fixture
def nobody(desk: Desk) -> Desk:
    """A desk without credentials of any kind."""
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return replace(desk, environment={**desk.environment, **nothing})


def test_without_credentials_nothing_of_aws_is_asked(nobody: Desk) -> None:
    _, found = findings(nobody)
    assert found["AWS credentials"].startswith("! there are none; only make up works without")
    assert "AWS account" not in found
    status, found = findings(nobody, "--env", "dev")
    assert status == 1
    assert found["AWS credentials"].startswith("x there are none")
    assert "-> Set AWS_PROFILE" in found["AWS credentials"]


def test_a_profile_that_is_not_there_is_told(nobody: Desk) -> None:
    status, found = findings(nobody, AWS_PROFILE="elsewhere")
    assert status == 1
    assert found["AWS credentials"].startswith("x AWS_PROFILE: The config profile (elsewhere) could not be")


def test_fitting_credentials_are_told_with_account_and_region(here: Desk) -> None:
    _, found = findings(here, "--env", "dev")
    assert found["AWS endpoint"].startswith(f"! AWS_ENDPOINT_URL={here.environment['AWS_ENDPOINT_URL']}")
    assert found["AWS credentials"].startswith("+ arn:aws:")
    assert found["AWS account"] == f"+ {ACCOUNT} (oaktree's own, dev)"
    assert found["AWS region"] == f"+ {REGION}"
    assert found["state bucket"].startswith(f"! {BUCKET} does not exist yet: nothing is deployed")
    assert "-> make bootstrap ENV=dev" in found["state bucket"]
    assert found["zones"] == "+ the account has all that the settings name"
    assert found["vCPU quota"] == "+ has room for as many tasks as scaling may start"
    key = "environments/dev.toml: services.web.secrets.WRITE_TOKEN_SHA256"
    assert found["secrets"].startswith(f"x {key} = 'ssm:/oaktree/dev/web/write-token-sha256': account")
    assert "-> aws ssm put-parameter" in found["secrets"]


def test_credentials_of_another_account_and_region_are_told(desk: Desk, embedded: Embedded) -> None:
    elsewhere = replace(desk, environment=embedded.environment("222222222222", "us-east-1", desk.environment))
    status, found = findings(elsewhere, "--env", "dev")
    assert status == 1
    assert found["AWS account"].startswith(f"x 222222222222; dev is in {ACCOUNT}")
    assert found["AWS region"].startswith(f"! us-east-1 is set; make's commands use {REGION}")
    _, found = findings(elsewhere)
    assert found["AWS account"].startswith("x 222222222222, which no file in environments/ names")


def test_expired_credentials_are_told(here: Desk, embedded: Embedded) -> None:
    with amending(embedded.endpoint) as amended:
        amended.refusals["GetCallerIdentity"] = "ExpiredToken"
        status, found = findings(here, AWS_ENDPOINT_URL=amended.endpoint)
    assert status == 1
    assert found["AWS credentials"].startswith("x the credentials have expired\n-> aws sso login")


def test_an_aws_that_cannot_be_reached_is_told(here: Desk) -> None:
    status, found = findings(here, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert status == 1
    assert found["AWS credentials"].startswith("x AWS cannot be reached: ")


def test_a_state_that_is_locked_is_noted_with_who_and_since_when(here: Desk, embedded: Embedded) -> None:
    s3 = embedded.client("s3", REGION)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    lock_id = "1b1ca6b8-7b4f-4b3c-9a60-1a2b3c4d5e6f"
    lock = {
        "ID": lock_id,
        "Operation": "OperationTypeApply",
        "Who": "jane@desk",
        "Created": "2026-11-23T12:00:00Z",
    }
    s3.put_object(Bucket=BUCKET, Key="dev-network.tfstate.tflock", Body=json.dumps(lock).encode())
    s3.put_object(Bucket=BUCKET, Key="dev-service.tfstate", Body=b"{}")
    _, found = findings(here)
    assert found["state bucket"] == f"+ {BUCKET} holds dev-service"
    assert found["state lock"].startswith(
        "! dev-network is locked: held by jane@desk since 2026-11-23 12:00:00 UTC for apply "
        f"(id {lock_id})\n"
        f"-> If that command has ended: make unlock ENV=dev STACK=network ID={lock_id}"
    )
    s3.put_object(Bucket=BUCKET, Key="dev-network.tfstate.tflock", Body=b"?")
    assert findings(here)[1]["state lock"].startswith(
        "! dev-network is locked: held by somebody (the lock cannot be read)\n"
        f"-> If that command has ended: aws s3 rm s3://{BUCKET}/dev-network.tfstate.tflock"
    )


def test_ids_that_are_not_set_are_noted_with_the_command_that_prints_them(nobody: Desk) -> None:
    _, found = findings(nobody)
    assert found["GitHub ids"].startswith("! environments/project.toml has no repository_owner_id and repo")
    assert found["GitHub ids"].endswith(
        "-> Set them: `gh api repos/example/oaktree --jq '.owner.id, .id'` prints repository_owner_id and "
        "repository_id."
    )
    assert "GitHub OIDC" not in found
    project = nobody.checkout.environments / "project.toml"
    before = project.read_text()
    project.write_text(f"{before}repository_owner_id = 1001\nrepository_id = 2002\n")
    try:
        assert findings(nobody)[1]["GitHub ids"] == "+ 1001, 2002"
    finally:
        project.write_text(before)


def test_an_oidc_provider_that_the_settings_do_not_know_is_told(here: Desk, embedded: Embedded) -> None:
    assert findings(here)[1]["GitHub OIDC"] == "+ the settings and the account agree"
    trust_github(embedded.client("iam", REGION))
    status, found = findings(here)
    assert status == 1
    assert found["GitHub OIDC"].startswith(
        f"x {github_provider_arn(ACCOUNT)} exists, and the foundation's state does not have it"
    )
    begun = here.checkout.local / "foundation/terraform.tfstate"
    begun.parent.mkdir(parents=True)
    resource = {"mode": "managed", "type": "aws_iam_openid_connect_provider", "name": "github"}
    begun.write_text(json.dumps({"resources": [resource | {"instances": [{}]}]}))
    assert findings(here)[1]["GitHub OIDC"] == "+ the settings and the account agree"
    begun.unlink()


def test_an_unknown_environment_is_told_with_status_2(desk: Desk) -> None:
    done = desk.run("doctor", "--env", "dve")
    assert done.returncode == 2
    assert "ENV=dve is not an environment. Use one of dev" in done.stderr


def test_a_state_bucket_that_may_not_be_read_is_told(here: Desk, embedded: Embedded) -> None:
    """The embedded AWS refuses nobody a bucket; a proxy does."""
    with amending(embedded.endpoint) as amended:
        amended.refusals["HEAD"] = "AccessDenied"
        status, found = findings(here, AWS_ENDPOINT_URL=amended.endpoint)
    assert status == 1
    assert found["state bucket"].startswith("x The AWS credentials in use may not read the state bucket")
