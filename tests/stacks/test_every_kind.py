"""Services of every kind as they are synthesized: containers, requests, connections, jobs."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.reading import read_platform
from tests.stacks.platform_files import PROJECT, environment, write_platform
from tests.stacks.terraform_json import Stack, read_stacks

DIGEST = "sha256:" + "a" * 64
SETTINGS = f"""\
[load_balancer]
domain = "example.com"
hosted_zone = "example.com"
allowed_cidrs = ["10.0.0.0/8"]
waf = {{ rate_limit = 500, managed_rules = ["AWSManagedRulesCommonRuleSet"], count_only = true }}

[services.web]
dockerfile = "web/Dockerfile"
domain = ["www.example.com", "shop.example.com"]
health_path = "/health"
health_status = "200,301"
stickiness = 3600
uses = ["services.prices"]
secrets = {{ USER = "secretsmanager:db#user", PASSWORD = "secretsmanager:db#password", KEY = "ssm:/key" }}
before_deploy = ["migrate"]
target_container = "proxy"
ephemeral_storage = 40
egress = [{{ port = 587, cidr = "203.0.113.0/24" }}]
permissions = [{{ actions = ["ses:SendEmail"], resources = ["*"] }}]

[services.web.scaling]
schedule = [
    {{ at = "0 20 * * 1-5", timezone = "Europe/Berlin", min_capacity = 0, max_capacity = 0 }},
    {{ at = "0 7 * * 1-5", timezone = "Europe/Berlin", min_capacity = 2, max_capacity = 4 }},
]

[services.web.sidecars.proxy]
image = "public.ecr.aws/nginx/nginx@{DIGEST}"
port = 8000
user = "101:101"
writable_paths = ["/tmp"]
secrets = {{ TOKEN = "ssm:/token" }}

[services.api]
same_image_as = "web"
path = "/api"
allowed_cidrs = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]
entry_point = ["serve"]
working_directory = "/srv"
capabilities = "default"
read_only_root = false

[services.prices]
dockerfile = "prices/Dockerfile"
internal = true
port = 8081
command = ["sh", "-c", "serve ${{PORT}} %{{x}}"]
environment = {{ FORMAT = "${{aws}}" }}

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]
uses = ["services.prices"]
container_health = {{ command = ["alive"], interval = 20 }}

[services.nightly]
kind = "job"
same_image_as = "web"
schedule = "30 3 * * 1"
timezone = "Europe/Berlin"
timeout = 600
retries = 2
uses = ["services.prices"]

[services.status]
kind = "status"
load_balancer = "own"
"""


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    """The stacks of an environment with services of every kind."""
    from stacks.synthesis import synthesize

    directory = tmp_path_factory.mktemp("kinds")
    platform = read_platform(write_platform(directory, PROJECT, dev=environment(services=SETTINGS)))
    synthesize(platform, directory / "cdktf.out")
    return read_stacks(directory / "cdktf.out")


@pytest.fixture(scope="module")
def stack(stacks: dict[str, Stack]) -> Stack:
    """Its service stack."""
    return stacks["dev-service"]


def containers(stack: Stack, task: str) -> dict[str, dict[str, Any]]:
    text = stack.one("aws_ecs_task_definition", task)["container_definitions"]
    return {each["name"]: each for each in json.loads(text)}


def test_services_share_a_load_balancer_unless_they_have_their_own(stack: Stack) -> None:
    assert set(stack.all("aws_lb")) == {"balancer", "status_balancer"}
    rules = stack.all("aws_lb_listener_rule").values()
    listeners = {rule["action"][0]["target_group_arn"]: rule["listener_arn"] for rule in rules}
    assert listeners == {
        "${aws_lb_target_group.web_targets.arn}": "${aws_lb_listener.https.arn}",
        "${aws_lb_target_group.api_targets.arn}": "${aws_lb_listener.https.arn}",
        "${aws_lb_target_group.status_targets.arn}": "${aws_lb_listener.status_http.arn}",
    }
    assert stack.content["output"]["web_url"]["value"] == "https://www.example.com"
    assert stack.content["output"]["api_url"]["value"] == "https://example.com/api"
    assert stack.content["output"]["status_url"]["value"] == "http://${aws_lb.status_balancer.dns_name}"


def test_what_no_rule_takes_gets_a_404(stack: Stack) -> None:
    for name in ("https", "status_http"):
        (action,) = stack.one("aws_lb_listener", name)["default_action"]
        assert (action["type"], action["fixed_response"]["status_code"]) == ("fixed-response", "404")


def test_a_rule_names_host_paths_and_who_may(stack: Stack) -> None:
    of_api = [
        {key: values["values"] for condition in rule["condition"] for key, values in condition.items()}
        for rule in stack.all("aws_lb_listener_rule").values()
        if "api_targets" in rule["action"][0]["target_group_arn"]
    ]
    common = {"host_header": ["example.com"], "path_pattern": ["/api", "/api/*"]}
    assert sorted(of_api, key=str) == [
        {**common, "source_ip": ["10.1.0.0/16", "10.2.0.0/16"]},
        {**common, "source_ip": ["10.3.0.0/16"]},
    ]


def test_each_domain_has_a_record_and_a_certificate_and_that_of_the_load_balancer_is_the_default(
    stack: Stack,
) -> None:
    names = {record["name"] for record in stack.all("aws_route53_record").values() if record["type"] == "A"}
    assert names == {"example.com", "www.example.com", "shop.example.com"}
    validated = "${aws_acm_certificate_validation.certificate_%s_validation.certificate_arn}"
    assert stack.one("aws_lb_listener", "https")["certificate_arn"] == validated % "example_com"
    further = {each["certificate_arn"] for each in stack.all("aws_lb_listener_certificate").values()}
    assert further == {validated % "www_example_com", validated % "shop_example_com"}


def test_a_firewall_stands_before_every_load_balancer(stack: Stack) -> None:
    acl = stack.one("aws_wafv2_web_acl", "web_acl")
    assert [rule["name"] for rule in acl["rule"]] == ["rate-limit", "AWSManagedRulesCommonRuleSet"]
    limit, managed = acl["rule"]
    assert limit["statement"]["rate_based_statement"]["limit"] == 500
    # Rules on trial count and block nothing.
    assert (limit["action"], managed["override_action"]) == ({"count": {}}, {"count": {}})
    before = {each["resource_arn"] for each in stack.all("aws_wafv2_web_acl_association").values()}
    assert before == {"${aws_lb.balancer.arn}", "${aws_lb.status_balancer.arn}"}


def test_requests_go_to_the_container_that_the_settings_name(stack: Stack) -> None:
    (target,) = stack.one("aws_ecs_service", "web_service")["load_balancer"]
    assert (target["container_name"], target["container_port"]) == ("proxy", 8000)
    group = stack.one("aws_lb_target_group", "web_targets")
    assert (group["port"], group["health_check"]["path"]) == (8000, "/health")
    assert group["health_check"]["matcher"] == "200,301"
    assert group["stickiness"] == {"type": "lb_cookie", "cookie_duration": 3600, "enabled": True}
    # Said also where there is none: the provider takes a block that is gone for no change.
    assert stack.one("aws_lb_target_group", "api_targets")["stickiness"]["enabled"] is False


def test_containers_are_as_the_settings_say(stack: Stack) -> None:
    web = containers(stack, "web_task")
    assert web["proxy"]["image"] == f"public.ecr.aws/nginx/nginx@{DIGEST}"
    assert web["web"]["image"] == "${local.web_release.image}"
    assert web["proxy"]["user"] == "101:101"
    assert "user" not in web["web"]
    assert stack.one("aws_ecs_task_definition", "web_task")["ephemeral_storage"] == {"size_in_gib": 40}
    (mount,) = web["proxy"]["mountPoints"]
    volumes = [volume["name"] for volume in stack.one("aws_ecs_task_definition", "web_task")["volume"]]
    assert volumes == [mount["sourceVolume"]]
    api = containers(stack, "api_task")["api"]
    assert (api["entryPoint"], api["workingDirectory"]) == (["serve"], "/srv")
    assert "capabilities" not in api["linuxParameters"]
    assert api["readonlyRootFilesystem"] is False
    health = containers(stack, "worker_task")["worker"]["healthCheck"]
    assert (health["command"], health["interval"]) == (["CMD", "alive"], 20)


def test_a_key_of_a_secret_is_named_and_the_whole_secret_is_readable(stack: Stack) -> None:
    secrets = {each["name"]: each["valueFrom"] for each in containers(stack, "web_task")["web"]["secrets"]}
    assert secrets == {
        "KEY": "arn:aws:ssm:eu-central-1:111111111111:parameter/key",
        "PASSWORD": "${data.aws_secretsmanager_secret.web_secret_PASSWORD.arn}:password::",
        "USER": "${data.aws_secretsmanager_secret.web_secret_USER.arn}:user::",
    }
    policy = json.loads(stack.one("aws_iam_role_policy", "web_execution_role_policy")["policy"])
    resources = {each["Sid"]: each["Resource"] for each in policy["Statement"]}
    assert resources["ReadSecrets"] == [
        "${data.aws_secretsmanager_secret.web_secret_PASSWORD.arn}",
        "${data.aws_secretsmanager_secret.web_secret_USER.arn}",
    ]
    assert len(resources["ReadParameters"]) == 2


def test_permissions_of_the_settings_are_the_task_roles_and_the_boundarys(stacks: dict[str, Stack]) -> None:
    policy = json.loads(stacks["dev-service"].one("aws_iam_role_policy", "web_task_role_policy")["policy"])
    assert [(each["Action"], each["Resource"]) for each in policy["Statement"]] == [
        (["ses:SendEmail"], ["*"])
    ]
    boundary = json.loads(stacks["foundation"].one("aws_iam_policy", "workload_boundary")["policy"])
    (allowed,) = (each for each in boundary["Statement"] if each["Sid"] == "Permissions1")
    assert (allowed["Action"], allowed["Resource"]) == (["ses:SendEmail"], ["*"])


def test_a_service_that_is_used_has_a_private_name_and_lets_its_users_in(stack: Stack) -> None:
    namespace = stack.one("aws_service_discovery_private_dns_namespace")
    assert namespace["name"] == "dev.oaktree.internal"
    assert set(stack.all("aws_service_discovery_service")) == {"prices_address"}
    registry = stack.one("aws_ecs_service", "prices_service")["service_registries"]
    assert registry == {"registry_arn": "${aws_service_discovery_service.prices_address.arn}"}
    ingress = stack.all("aws_vpc_security_group_ingress_rule")
    egress = stack.all("aws_vpc_security_group_egress_rule")
    for user in ("web", "worker", "nightly"):
        assert ingress[f"prices_task_from_service_{user}"]["from_port"] == 8081
        out = egress[f"{user}_task_to_service_prices"]
        assert out["referenced_security_group_id"] == "${aws_security_group.prices_task_group.id}"
    assert "prices_task_from_balancer" not in ingress
    assert "api_task_to_service_prices" not in egress


def test_terraform_takes_no_text_of_the_settings_for_an_expression(stack: Stack) -> None:
    container = containers(stack, "prices_task")["prices"]
    assert container["command"][-1] == "serve $${PORT} %%{x}"
    assert {"name": "FORMAT", "value": "$${aws}"} in container["environment"]


def test_a_rule_is_called_after_what_it_matches(stack: Stack) -> None:
    """So that another service can take a path over in place, and no priority is wanted twice."""
    names = set(stack.all("aws_lb_listener_rule"))
    assert {name.rpartition("_")[0] for name in names} == {"rule", "status_rule"}


def test_egress_of_the_settings_is_a_rule(stack: Stack) -> None:
    rules = stack.all("aws_vpc_security_group_egress_rule")
    rule = rules["web_task_to_203-0-113-0-24-587"]
    assert (rule["cidr_ipv4"], rule["from_port"], rule["to_port"]) == ("203.0.113.0/24", 587, 587)


def test_what_gets_no_requests_has_an_alarm_of_its_own_for_having_no_task(stack: Stack) -> None:
    alarms = stack.all("aws_cloudwatch_metric_alarm")
    for name in ("worker", "prices"):
        alarm = alarms[f"{name}_no_running_task"]
        assert alarm["dimensions"] == {"ClusterName": "oaktree-dev", "ServiceName": f"oaktree-dev-{name}"}
        assert (alarm["namespace"], alarm["treat_missing_data"]) == ("ECS/ContainerInsights", "breaching")
        # Said, since ECS keeps the alarms of a service that had some otherwise.
        assert stack.one("aws_ecs_service", f"{name}_service")["alarms"] == {
            "alarm_names": [f"${{aws_cloudwatch_metric_alarm.{name}_no_running_task.alarm_name}}"],
            "enable": False,
            "rollback": False,
        }
    # Off at night, which is no outage.
    assert alarms["web_no_healthy_task"]["treat_missing_data"] == "notBreaching"
    assert alarms["api_no_healthy_task"]["treat_missing_data"] == "breaching"


def test_a_schedule_changes_the_limits_and_terraform_leaves_them_alone(stack: Stack) -> None:
    actions = stack.all("aws_appautoscaling_scheduled_action").values()
    assert {(each["schedule"], each["timezone"]) for each in actions} == {
        ("cron(0 20 ? * MON-FRI *)", "Europe/Berlin"),
        ("cron(0 7 ? * MON-FRI *)", "Europe/Berlin"),
    }
    limits = {tuple(each["scalable_target_action"].values()) for each in actions}
    assert limits == {("0", "0"), ("4", "2")} or limits == {("0", "0"), ("2", "4")}
    target = stack.one("aws_appautoscaling_target", "web_scaling")
    assert target["lifecycle"] == {"ignore_changes": ["min_capacity", "max_capacity"]}
    assert "lifecycle" not in stack.one("aws_appautoscaling_target", "api_scaling")


def test_a_job_has_a_schedule_and_no_service(stack: Stack) -> None:
    schedule = stack.one("aws_scheduler_schedule")
    assert schedule["schedule_expression"] == "cron(30 3 ? * MON *)"
    assert schedule["schedule_expression_timezone"] == "Europe/Berlin"
    machine = stack.one("aws_sfn_state_machine")["definition"]
    assert '"TaskDefinition": "${aws_ecs_task_definition.nightly_task.arn}"' in machine
    assert "nightly_service" not in stack.all("aws_ecs_service")
    assert "nightly_scaling" not in stack.all("aws_appautoscaling_target")


def test_what_runs_before_a_deployment_is_a_task_of_its_own_with_the_roles_of_the_service(
    stack: Stack,
) -> None:
    before = stack.one("aws_ecs_task_definition", "web_before_deploy")
    assert before["family"] == "oaktree-dev-web-before-deploy"
    assert before["task_role_arn"] == stack.one("aws_ecs_task_definition", "web_task")["task_role_arn"]
    (container,) = json.loads(before["container_definitions"])
    assert (container["name"], container["command"]) == ("web", ["migrate"])
    assert (container["image"], container["portMappings"]) == ("${local.web_release.image}", [])


def test_a_service_that_runs_anothers_image_has_no_repository_and_no_record(stacks: dict[str, Stack]) -> None:
    assert set(stacks["foundation"].all("aws_ecr_repository")) == {
        "prices_images",
        "status_images",
        "web_images",
    }
    (read,) = stacks["dev-service"].content["data"]["aws_ssm_parameters_by_path"].values()
    assert len(read["lifecycle"]["postcondition"]) == 2 * 3


def test_synthesis_without_a_status_app_has_no_table(tmp_path: Path) -> None:
    from stacks.synthesis import synthesize

    settings = "[services.web]\ndockerfile = 'Dockerfile'\n"
    platform = read_platform(write_platform(tmp_path, PROJECT, dev=environment(services=settings)))
    synthesize(platform, tmp_path / "cdktf.out")
    assert "resource" not in read_stacks(tmp_path / "cdktf.out")["dev-data"].content


ABOUT_ALL = {
    "aws_cloudwatch_composite_alarm.unhealthy",
    "aws_cloudwatch_dashboard.dashboard",
    *(
        f"aws_cloudwatch_query_definition.query_{name}"
        for name in ("bytes_by_service", "errors", "slow_requests")
    ),
}


def test_a_service_that_comes_or_goes_changes_nothing_of_the_others(
    stack: Stack, tmp_path: Path, stacks: dict[str, Stack]
) -> None:
    """But for what connects to it: the load balancer's rule, and the listener's further certificates; and for
    what is about all of them."""
    from stacks.synthesis import synthesize

    gone = ("api", "worker", "nightly", "status")
    tables = SETTINGS.split("\n[services.")
    kept = "\n[services.".join(each for each in tables if not each.startswith(gone))
    platform = read_platform(write_platform(tmp_path, PROJECT, dev=environment(services=kept)))
    synthesize(platform, tmp_path / "cdktf.out")
    fewer = read_stacks(tmp_path / "cdktf.out")
    for name in ("dev-network", "dev-service"):
        before, after = fewer[name].resources(), stacks[name].resources()
        assert before.keys() <= after.keys()
        changed = {key for key, body in before.items() if after[key] != body}
        assert changed <= ABOUT_ALL
    assert set(stack.all("aws_ecs_service")) - set(fewer["dev-service"].all("aws_ecs_service")) == {
        "api_service",
        "worker_service",
        "status_service",
    }
