"""The contract between app and platform."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from tests.places import ROOT
from tests.webapp.environment import VARIABLES
from webapp.checks import CHECKS
from webapp.contract import (
    GRANTS,
    TOKENS,
    Configuration,
    Resource,
    environment_of,
    secret_names,
)


def configuration() -> Configuration:
    """A configuration as the platform builds it, with Terraform references in it."""
    return Configuration(
        environment="dev",
        service="web",
        aws_region="eu-central-1",
        table="${aws_dynamodb_table.table.name}",
        cluster="oaktree-dev",
        components='[{"resource": "${aws_ecs_service.web.name}"}]',
        image="${TfToken[TOKEN.12]}",
        commit='${jsondecode(data.aws_ssm_parameter.release.value)["commit"]}',
        keep_alive=65,
        shutdown_timeout=20,
    )


def test_variables_and_secrets_are_told_apart() -> None:
    assert secret_names() == TOKENS == {"WRITE_TOKEN_SHA256"}
    assert {
        "AWS_REGION",
        "CHECK_INTERVAL",
        "CLUSTER",
        "COMMIT",
        "COMPONENTS",
        "ENVIRONMENT",
        "FAILURE_THRESHOLD",
        "IMAGE",
        "KEEP_ALIVE",
        "LINKS",
        "LOGO_URL",
        "LOG_LEVEL",
        "OPERATOR_VIEW",
        "PROBES",
        "SERVICE",
        "SHUTDOWN_TIMEOUT",
        "TABLE",
        "TITLE",
    } == VARIABLES


def test_the_environment_of_a_configuration_has_every_variable_in_order_and_keeps_references() -> None:
    environment = environment_of(configuration())
    assert environment.keys() == VARIABLES
    assert list(environment) == sorted(environment)
    assert environment["IMAGE"] == "${TfToken[TOKEN.12]}"
    assert environment["KEEP_ALIVE"] == "65"


def test_the_environment_of_the_machine_that_synthesizes_does_not_leak_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = environment_of(configuration())
    for name in VARIABLES | secret_names():
        monkeypatch.setenv(name, "error")
    assert environment_of(configuration()) == before


def test_a_configuration_holds_no_secret_and_does_not_change() -> None:
    with pytest.raises(ValidationError, match="write_token_sha256"):
        Configuration.model_validate(configuration().model_dump() | {"write_token_sha256": "x"})
    for name in Configuration.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(configuration(), name, "another")


def test_grants_name_actions_of_one_service_by_one_statement_each() -> None:
    assert len({grant.sid for grant in GRANTS}) == len(GRANTS)
    for grant in GRANTS:
        assert grant.resource in Resource
        assert len({action.partition(":")[0] for action in grant.actions}) == 1
        assert not any("*" in action for action in grant.actions)


def test_each_check_is_found_by_its_kind() -> None:
    assert {check.kind: check for check in CHECKS.values()} == CHECKS


def test_the_platform_reads_the_contract_without_what_serves_requests_and_calls_aws() -> None:
    code = "import sys, webapp.contract; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    slow = {"aiobotocore", "asyncio", "botocore", "jinja2", "orjson", "starlette", "uvicorn"}
    assert not slow & {*done.stdout.split()}
