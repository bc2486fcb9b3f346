"""The service stack: how tasks run, who reaches them, and what they may do."""

import json
import re
from typing import Any

import pytest

from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import environment
from tests.stacks.terraform_json import Stack
from tests.webapp.environment import VARIABLES
from webapp import contract

WITH_DOMAIN = """\
[load_balancer]
domain = "www.example.com"
hosted_zone = "example.com"
[services.web]
kind = "status"
"""

TWO = """\
[services.web]
kind = "status"
[services.{other}]
kind = "status"
load_balancer = "own"
"""
"""Two services with the status app, of which the second has a load balancer of its own."""


def test_the_container_is_what_the_contract_says(stacks: dict[str, Stack]) -> None:
    container = stacks["prod-service"].container()
    assert container["name"] == "web"
    assert container["user"] == contract.USER
    assert container["command"] == list(contract.COMMAND)
    assert container["healthCheck"]["command"] == ["CMD", *contract.HEALTH_COMMAND]
    assert [port["containerPort"] for port in container["portMappings"]] == [contract.PORT]
    # There is no logo, and AWS drops empty variables.
    assert {item["name"] for item in container["environment"]} == VARIABLES - {"LOGO_URL"}
    assert {item["name"] for item in container["secrets"]} == contract.secret_names()


def test_the_container_is_confined(stacks: dict[str, Stack]) -> None:
    container = stacks["dev-service"].container()
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"] == {
        "initProcessEnabled": True,
        "capabilities": {"add": [], "drop": ["ALL"]},
    }
    assert "privileged" not in container


def test_logs_never_hold_up_the_app(stacks: dict[str, Stack]) -> None:
    options = stacks["dev-service"].container()["logConfiguration"]["options"]
    assert (options["mode"], options["max-buffer-size"]) == ("non-blocking", "25m")


def test_secrets_are_references_and_never_in_the_environment(stacks: dict[str, Stack]) -> None:
    assert stacks["staging-service"].container()["secrets"] == [
        {
            "name": "WRITE_TOKEN_SHA256",
            "valueFrom": (
                "arn:aws:ssm:eu-central-1:111111111111:parameter/oaktree/staging/web/write-token-sha256"
            ),
        }
    ]
    assert stacks["prod-service"].container()["secrets"] == [
        {
            "name": "WRITE_TOKEN_SHA256",
            "valueFrom": "${data.aws_secretsmanager_secret.web_secret_WRITE_TOKEN_SHA256.arn}",
        }
    ]
    for name in ("staging-service", "prod-service"):
        variables = {item["name"] for item in stacks[name].container()["environment"]}
        assert not variables & contract.secret_names()


def test_the_execution_role_reads_exactly_the_secrets_referred_to(stacks: dict[str, Stack]) -> None:
    def read_by(stack: Stack) -> list[object]:
        policy = json.loads(stack.one("aws_iam_role_policy", "web_execution_role_policy")["policy"])
        return [
            item["Resource"]
            for item in policy["Statement"]
            if item["Sid"] in ("ReadParameters", "ReadSecrets")
        ]

    for name in ("dev-service", "staging-service", "prod-service"):
        references = [item["valueFrom"] for item in stacks[name].container()["secrets"]]
        assert read_by(stacks[name]) == ([references] if references else [])


def test_a_variable_on_the_machine_that_synthesizes_does_not_reach_the_container(
    synthesize: Synthesize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("WRITE_TOKEN_SHA256", "a" * 64)
    container = synthesize(dev=environment())["dev-service"].container()
    assert {"name": "LOG_LEVEL", "value": "info"} in container["environment"]
    assert "a" * 64 not in json.dumps(container)


def test_the_task_role_may_do_what_the_contract_grants_and_no_more(stacks: dict[str, Stack]) -> None:
    policy = json.loads(stacks["dev-service"].one("aws_iam_role_policy", "web_task_role_policy")["policy"])
    here = "eu-central-1:111111111111"
    resources = {
        contract.Resource.TABLE: f"arn:aws:dynamodb:{here}:table/oaktree-dev-status",
        contract.Resource.SERVICES: f"arn:aws:ecs:{here}:service/oaktree-dev/oaktree-dev-*",
        contract.Resource.IMAGES: f"arn:aws:ecr:{here}:repository/oaktree/web",
        contract.Resource.ALARMS: f"arn:aws:cloudwatch:{here}:alarm:*",
        contract.Resource.TARGETS: "*",
        contract.Resource.ANY: "*",
    }
    assert [(item["Action"], item["Resource"]) for item in policy["Statement"]] == [
        (list(grant.actions), [resources[grant.resource]])
        for grant in contract.GRANTS
        if grant.resource in resources
    ]


def test_the_app_of_another_account_asks_the_projects_registry(stacks: dict[str, Stack]) -> None:
    policy = json.loads(stacks["prod-service"].one("aws_iam_role_policy", "web_task_role_policy")["policy"])
    (resources,) = [item["Resource"] for item in policy["Statement"] if item["Sid"] == "CheckScan"]
    assert resources == ["arn:aws:ecr:eu-central-1:111111111111:repository/oaktree/web"]


def test_the_container_is_told_the_names_of_what_the_stacks_create(synthesize: Synthesize) -> None:
    stacks = synthesize(dev=environment(services=TWO.format(other="web-api")))
    stack = stacks["dev-service"]
    alarms = {
        alarm["alarm_name"]
        for kind in ("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
        for alarm in stack.all(kind).values()
    }
    for key in ("web", "web-api"):
        told = {item["name"]: item["value"] for item in stack.container(f"{key}_task")["environment"]}
        assert told["TABLE"] == stacks["dev-data"].one("aws_dynamodb_table")["name"]
        assert told["CLUSTER"] == stack.one("aws_ecs_cluster")["name"]
        components = {item["id"]: item["resource"] for item in json.loads(told["COMPONENTS"])}
        assert components[f"services.{key}"] == stack.one("aws_ecs_service", f"{key}_service")["name"]
        assert components["status.table"] == told["TABLE"]
        # Each of the two watches the alarms of the environment, those of the other one too.
        base = components["status.alarms"]
        owners = {base, *(f"{base}-{each.partition('.')[2]}" for each in components)}
        assert {alarm for alarm in alarms if alarm.partition("/")[0] in owners} == alarms
        assert f"oaktree-dev-{key}/cpu" in alarms
    # Of the environment are those of the load balancer, the NAT gateway, the table, and all together.
    assert len([each for each in alarms if each.startswith("oaktree-dev/")]) == 5
    assert len(alarms) == 2 * len(ALARMS) + 1 + 5


def test_paths_that_look_alike_have_volumes_of_their_own(synthesize: Synthesize) -> None:
    services = '[services.web]\nkind = "status"\nwritable_paths = ["/a/b", "/a-b"]\n'
    stack = synthesize(dev=environment(services=services))["dev-service"]
    volumes = [volume["name"] for volume in stack.one("aws_ecs_task_definition")["volume"]]
    assert len(set(volumes)) == 2
    mounts = {mount["containerPath"]: mount["sourceVolume"] for mount in stack.container()["mountPoints"]}
    assert set(mounts.values()) == set(volumes)


def test_a_former_revision_stays_for_a_rollback(stacks: dict[str, Stack]) -> None:
    task = stacks["dev-service"].one("aws_ecs_task_definition")
    assert task["skip_destroy"] is True
    assert task["lifecycle"] == {"create_before_destroy": True}


def test_exec_brings_its_mounts_and_permissions(synthesize: Synthesize) -> None:
    paths = ["/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"]
    services = f"[services.web]\nkind = 'status'\nexec = true\nwritable_paths = {json.dumps(paths)}\n"
    stack = synthesize(dev=environment(services=services))["dev-service"]
    container = stack.container()
    assert [mount["containerPath"] for mount in container["mountPoints"]] == paths
    volumes = {volume["name"] for volume in stack.one("aws_ecs_task_definition")["volume"]}
    assert {mount["sourceVolume"] for mount in container["mountPoints"]} == volumes
    assert stack.one("aws_ecs_service")["enable_execute_command"] is True
    policy = json.loads(stack.one("aws_iam_role_policy", "web_task_role_policy")["policy"])
    assert [item["Sid"] for item in policy["Statement"]][-1] == "Exec"


def test_without_a_domain_http_is_forwarded(stacks: dict[str, Stack]) -> None:
    stack = stacks["dev-service"]
    (action,) = stack.one("aws_lb_listener", "http")["default_action"]
    assert action["fixed_response"]["status_code"] == "404"
    rule = stack.one("aws_lb_listener_rule")
    assert rule["listener_arn"] == "${aws_lb_listener.http.arn}"
    assert [action["type"] for action in rule["action"]] == ["forward"]
    assert rule["condition"] == [{"path_pattern": {"values": ["/*"]}}]
    assert set(stack.all("aws_vpc_security_group_ingress_rule")) == {
        "balancer_from_http",
        "balancer_path_mtu",
        "web_task_from_balancer",
    }


def test_with_a_domain_https_is_forwarded_and_http_redirected(synthesize: Synthesize) -> None:
    stack = synthesize(dev=environment(services=WITH_DOMAIN))["dev-service"]
    (redirect,) = stack.one("aws_lb_listener", "http")["default_action"]
    assert redirect == {
        "type": "redirect",
        "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"},
    }
    https = stack.one("aws_lb_listener", "https")
    assert https["protocol"] == "HTTPS"
    assert (
        https["certificate_arn"]
        == "${aws_acm_certificate_validation.certificate_www_example_com_validation.certificate_arn}"
    )
    assert [action["type"] for action in https["default_action"]] == ["fixed-response"]
    rule = stack.one("aws_lb_listener_rule")
    assert rule["listener_arn"] == "${aws_lb_listener.https.arn}"
    assert rule["condition"] == [{"host_header": {"values": ["www.example.com"]}}]
    assert stack.content["output"]["web_url"]["value"] == "https://www.example.com"


def test_the_load_balancer_asks_and_waits_as_the_settings_say(stacks: dict[str, Stack]) -> None:
    target_group = stacks["prod-service"].one("aws_lb_target_group")
    assert target_group["health_check"]["path"] == contract.HEALTH_PATH
    assert target_group["deregistration_delay"] == "10"
    assert target_group["target_type"] == "ip"
    assert target_group["lifecycle"] == {"create_before_destroy": True}
    balancer = stacks["prod-service"].one("aws_lb")
    assert balancer["drop_invalid_header_fields"] is True
    assert balancer["access_logs"]["enabled"] is True
    # AWS writes a test file when access logs are turned on, which the policy has to allow by then.
    assert balancer["depends_on"] == ["aws_s3_bucket_policy.access_logs_policy"]


def test_a_target_groups_name_changes_with_all_that_replaces_it(stacks: dict[str, Stack]) -> None:
    """Terraform creates the replacement first, so it needs another name than the one it replaces."""
    group = stacks["prod-service"].one("aws_lb_target_group")
    known = f"oaktree-prod-web {group['port']} {group['protocol']} {group['target_type']}"
    vpc = group["vpc_id"].removeprefix("${").removesuffix("}")
    assert group["name"] == f'oaktree-prod-web-${{substr(sha256(join(" ", ["{known}", {vpc}])), 0, 6)}}'


def test_a_target_groups_name_is_cut_to_what_aws_allows_and_stays_its_services(
    synthesize: Synthesize,
) -> None:
    """Both are cut to the same text, with a hyphen at its end; what is hashed tells them apart."""
    keys = ("long-name-to-c-one", "long-name-to-c-two")
    services = "".join(f"[services.{key}]\ndockerfile = 'Dockerfile'\npath = '/{key}'\n" for key in keys)
    groups = synthesize(dev=environment(services=services))["dev-service"].all("aws_lb_target_group")
    names = [groups[f"{key}_targets"]["name"] for key in keys]
    for name, key in zip(names, keys, strict=True):
        readable, hashed = name.split("-${")
        assert readable == "oaktree-dev-long-name-to"
        assert f'["oaktree-dev-{key} 8080 ' in hashed


def test_a_failed_deployment_is_undone_and_autoscaling_owns_the_count(stacks: dict[str, Stack]) -> None:
    service = stacks["prod-service"].one("aws_ecs_service")
    assert service["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert service["alarms"]["rollback"] is True
    assert service["network_configuration"]["assign_public_ip"] is False
    assert service["propagate_tags"] == "SERVICE"
    assert service["lifecycle"] == {"ignore_changes": ["desired_count"]}
    target = stacks["prod-service"].one("aws_appautoscaling_target")
    assert (target["min_capacity"], target["max_capacity"]) == (3, 12)
    assert service["desired_count"] == 3


@pytest.mark.parametrize(
    ("share", "strategy"),
    [
        (0, [("FARGATE", 0, 100)]),
        (70, [("FARGATE", 2, 30), ("FARGATE_SPOT", 0, 70)]),
        (100, [("FARGATE_SPOT", 0, 100)]),
    ],
)
def test_spot_takes_its_share(
    synthesize: Synthesize, share: int, strategy: list[tuple[str, int, int]]
) -> None:
    services = f"[services.web]\nkind = 'status'\nspot_percent = {share}\n"
    service = synthesize(dev=environment(services=services))["dev-service"].one("aws_ecs_service")
    assert [
        (item["capacity_provider"], item["base"], item["weight"])
        for item in service["capacity_provider_strategy"]
    ] == strategy


def test_scaling_follows_the_figures_that_are_named(synthesize: Synthesize, stacks: dict[str, Stack]) -> None:
    services = (
        "services.web.scaling = { cpu_percent = 0, requests_per_target = 50 }\nservices.web.kind = 'status'\n"
    )
    some = synthesize(dev=environment(services=services))["dev-service"]
    assert set(some.all("aws_appautoscaling_policy")) == {"web_scaling_by_memory", "web_scaling_by_requests"}
    assert set(stacks["dev-service"].all("aws_appautoscaling_policy")) == {
        "web_scaling_by_cpu",
        "web_scaling_by_memory",
    }
    assert set(stacks["prod-service"].all("aws_appautoscaling_policy")) == {
        "web_scaling_by_cpu",
        "web_scaling_by_memory",
        "web_scaling_by_requests",
    }


def test_security_groups_chain_from_the_internet_to_the_endpoints(stacks: dict[str, Stack]) -> None:
    stack = stacks["prod-service"]
    ingress = stack.all("aws_vpc_security_group_ingress_rule")
    egress = stack.all("aws_vpc_security_group_egress_rule")
    balancer, task = "${aws_security_group.balancer_group.id}", "${aws_security_group.web_task_group.id}"
    assert ingress["balancer_from_https"]["for_each"] == "${toset(var.allowed_cidrs)}"
    assert egress["web_balancer_to_task"]["referenced_security_group_id"] == task
    assert ingress["web_task_from_balancer"]["referenced_security_group_id"] == balancer
    assert "endpoints_group" in egress["web_task_to_endpoints"]["referenced_security_group_id"]
    path_mtu = ingress.pop("balancer_path_mtu")
    assert path_mtu["security_group_id"] == balancer
    assert path_mtu["cidr_ipv4"] == "0.0.0.0/0"
    assert (path_mtu["ip_protocol"], path_mtu["from_port"], path_mtu["to_port"]) == ("icmp", 3, 4)
    ports = {"balancer_from_http": 80, "balancer_to_task": contract.PORT, "task_from_balancer": contract.PORT}
    for name, rule in {**ingress, **egress}.items():
        port = ports.get(name.removeprefix("web_"), 443)
        assert (rule["ip_protocol"], rule["from_port"], rule["to_port"]) == ("tcp", port, port), name
    open_to_the_world = [name for name, rule in ingress.items() if rule.get("cidr_ipv4") == "0.0.0.0/0"]
    assert open_to_the_world == []
    assert set(egress) == {
        "web_balancer_to_task",
        "web_task_to_dynamodb",
        "web_task_to_endpoints",
        "web_task_to_internet",
        "web_task_to_s3",
    }


def test_without_nat_tasks_have_no_rule_to_the_internet(synthesize: Synthesize) -> None:
    endpoints = '["ecr.api", "ecr.dkr", "ecs", "logs", "monitoring", "sts"]'
    network = f'network = {{ cidr = "10.10.0.0/16", nat = "none", endpoints = {endpoints} }}\n'
    stack = synthesize(dev=environment(network=network))["dev-service"]
    assert "web_task_to_internet" not in stack.all("aws_vpc_security_group_egress_rule")


@pytest.mark.parametrize("protected", [True, False])
def test_what_holds_data_is_protected_where_the_environment_asks(
    synthesize: Synthesize, protected: bool
) -> None:
    text = environment(top=f"protected = {str(protected).lower()}\n")
    stacks = synthesize(dev=text)
    stack = stacks["dev-service"]
    for holder in (stacks["dev-data"].one("aws_dynamodb_table"), stack.one("aws_s3_bucket")):
        assert holder["lifecycle"] == {"prevent_destroy": protected}
    assert stack.one("aws_lb")["enable_deletion_protection"] is protected


ALARMS = {
    "server_errors": ("HTTPCode_Target_5XX_Count", "Sum", 10, 2),
    "unhealthy_tasks": ("UnHealthyHostCount", "Maximum", 0, 5),
    "no_healthy_task": ("HealthyHostCount", "Minimum", 1, 3),
    "slow_answers": ("TargetResponseTime", "Average", 1, 5),
    "cpu": ("CPUUtilization", "Average", 90, 10),
    "memory": ("MemoryUtilization", "Average", 90, 10),
}
"""Each alarm's metric and statistic, its threshold, and for how many minutes that must be crossed."""


def test_each_alarm_has_its_threshold(stacks: dict[str, Stack]) -> None:
    every = stacks["prod-service"].all("aws_cloudwatch_metric_alarm")
    alarms = {key: alarm for key, alarm in every.items() if key.startswith("web_")}
    errors = every["balancer_errors"]
    assert (errors["metric_name"], errors["threshold"], errors["evaluation_periods"]) == (
        "HTTPCode_ELB_5XX_Count",
        10,
        2,
    )
    assert errors["alarm_name"] == "oaktree-prod/balancer-errors"
    assert {
        name.removeprefix("web_"): (
            alarm["metric_name"],
            alarm["statistic"],
            alarm["threshold"],
            alarm["evaluation_periods"],
        )
        for name, alarm in alarms.items()
    } == ALARMS
    for name, alarm in alarms.items():
        assert alarm["period"] == 60
        below = name == "web_no_healthy_task"
        assert alarm["comparison_operator"] == ("LessThanThreshold" if below else "GreaterThanThreshold")


def test_no_data_is_an_outage_only_where_healthy_tasks_are_counted(stacks: dict[str, Stack]) -> None:
    """Without traffic the other metrics have no data, and nothing is wrong."""
    alarms = stacks["prod-service"].all("aws_cloudwatch_metric_alarm")
    breaching = {name for name, alarm in alarms.items() if alarm["treat_missing_data"] == "breaching"}
    assert breaching == {"web_no_healthy_task"}
    assert {alarm["treat_missing_data"] for alarm in alarms.values()} == {"breaching", "notBreaching"}


def test_no_alarm_that_a_first_deployment_raises_undoes_one(stacks: dict[str, Stack]) -> None:
    """Before the first task is healthy there is none, and the load balancer answers 503."""
    alarms = stacks["prod-service"].all("aws_cloudwatch_metric_alarm")
    undoing = stacks["prod-service"].one("aws_ecs_service")["alarms"]["alarm_names"]
    for name in ("web_no_healthy_task", "balancer_errors"):
        assert f"${{aws_cloudwatch_metric_alarm.{name}.alarm_name}}" not in undoing
    targets = {"LoadBalancer": "${aws_lb.balancer.arn_suffix}"}
    assert alarms["balancer_errors"]["dimensions"] == targets
    targets["TargetGroup"] = "${aws_lb_target_group.web_targets.arn_suffix}"
    assert alarms["web_no_healthy_task"]["dimensions"] == targets


def test_a_deployment_is_undone_for_what_it_can_have_broken(stacks: dict[str, Stack]) -> None:
    service = stacks["prod-service"].one("aws_ecs_service")
    assert service["alarms"]["alarm_names"] == [
        f"${{aws_cloudwatch_metric_alarm.web_{name}.alarm_name}}"
        for name in ("server_errors", "unhealthy_tasks")
    ]


def test_a_second_service_has_everything_of_its_own_and_shares_table_and_cluster(
    synthesize: Synthesize,
) -> None:
    stacks = synthesize(dev=environment(services=TWO.format(other="api") + "cpu = 512\nmemory = 1024\n"))
    stack = stacks["dev-service"]
    assert set(stack.all("aws_ecs_service")) == {"api_service", "web_service"}
    assert len(stack.all("aws_lb")) == len(stack.all("aws_lb_target_group")) == 2
    assert len(stacks["dev-data"].all("aws_dynamodb_table")) == len(stack.all("aws_ecs_cluster")) == 1
    assert stack.container("api_task")["name"] == "api"
    assert set(stacks["foundation"].all("aws_ecr_repository")) == {"api_images", "web_images"}


def test_a_name_with_a_hyphen_can_be_a_service(synthesize: Synthesize) -> None:
    stack = synthesize(dev=environment(services=TWO.format(other="front-end")))["dev-service"]
    assert stack.container("front-end_task")["name"] == "front-end"
    assert stack.content["variable"].keys() >= {"allowed_cidrs", "front_end_allowed_cidrs"}


def statement_of(policy: str, sid: str) -> dict[str, Any]:
    """The statement of a policy with a name."""
    (found,) = (item for item in json.loads(policy)["Statement"] if item["Sid"] == sid)
    return dict(found)


def test_only_our_own_account_publishes_alarms_and_writes_access_logs(stacks: dict[str, Stack]) -> None:
    stack = stacks["prod-service"]
    for topic in ("alarm_topic", "on_call_topic"):
        policy = stack.one("aws_sns_topic_policy", f"{topic}_policy")["policy"]
        publish = statement_of(policy, "PublishAlarms")
        assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": "222222222222"}}
    write = statement_of(stack.one("aws_s3_bucket_policy")["policy"], "WriteAccessLogs")
    bucket = stack.one("aws_s3_bucket")["bucket"]
    assert write["Resource"] == [f"arn:aws:s3:::{bucket}/*/AWSLogs/222222222222/*"]


def test_a_task_pulls_the_images_of_its_own_service_only(synthesize: Synthesize) -> None:
    stack = synthesize(dev=environment(services=TWO.format(other="api")))["dev-service"]
    for key in ("web", "api"):
        policy = stack.one("aws_iam_role_policy", f"{key}_execution_role_policy")["policy"]
        repository = f"arn:aws:ecr:eu-central-1:111111111111:repository/oaktree/{key}"
        assert statement_of(policy, "PullImage")["Resource"] == [repository]


def test_tasks_call_out_by_https_but_to_a_load_balancer_without_a_domain(stacks: dict[str, Stack]) -> None:
    for stack, plain in ((stacks["dev-service"], {("tcp", 80, 80)}), (stacks["prod-service"], set())):
        egress = stack.all("aws_vpc_security_group_egress_rule")
        ports = {
            name: (rule["ip_protocol"], rule["from_port"], rule["to_port"])
            for name, rule in egress.items()
            if rule["security_group_id"] == "${aws_security_group.web_task_group.id}"
        }
        assert set(ports.values()) == {("tcp", 443, 443), *plain}, ports


def test_the_load_balancer_takes_no_weak_tls_and_no_odd_requests(stacks: dict[str, Stack]) -> None:
    stack = stacks["prod-service"]
    assert stack.one("aws_lb_listener", "https")["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert stack.one("aws_lb")["desync_mitigation_mode"] in ("defensive", "strictest")


def test_alarms_about_a_services_own_targets_undo_its_deployment(stacks: dict[str, Stack]) -> None:
    service = stacks["prod-service"].one("aws_ecs_service")
    assert service["alarms"]["enable"] is True
    assert service["alarms"]["alarm_names"] == [
        f"${{aws_cloudwatch_metric_alarm.web_{name}.alarm_name}}"
        for name in ("server_errors", "unhealthy_tasks")
    ]


def test_a_deployment_keeps_all_tasks_until_the_new_ones_are_there(stacks: dict[str, Stack]) -> None:
    service = stacks["prod-service"].one("aws_ecs_service")
    percent = (service["deployment_minimum_healthy_percent"], service["deployment_maximum_percent"])
    assert percent == (100, 200)
    assert set(service["depends_on"]) == {
        f"aws_lb_listener_rule.{next(iter(stacks['prod-service'].all('aws_lb_listener_rule')))}",
        "aws_ecs_cluster_capacity_providers.cluster_capacity",
        "aws_iam_role_policy.web_execution_role_policy",
        "aws_iam_role_policy.web_task_role_policy",
    }


def test_tasks_are_added_soon_and_removed_slowly(stacks: dict[str, Stack]) -> None:
    policies = stacks["prod-service"].all("aws_appautoscaling_policy")
    key = "target_tracking_scaling_policy_configuration"
    for policy in policies.values():
        assert (policy[key]["scale_out_cooldown"], policy[key]["scale_in_cooldown"]) == (60, 300)
    # Source: Application Auto Scaling API Reference, PredefinedMetricSpecification.
    requests = policies["web_scaling_by_requests"][key]["predefined_metric_specification"]
    balancer, targets = "${aws_lb.balancer.arn_suffix}", "${aws_lb_target_group.web_targets.arn_suffix}"
    assert requests["resource_label"] == f"{balancer}/{targets}"


def test_logs_are_kept_for_as_long_as_the_settings_say(stacks: dict[str, Stack]) -> None:
    stack = stacks["prod-service"]
    assert stack.one("aws_cloudwatch_log_group", "web_log")["retention_in_days"] == 365
    (rule,) = stack.one("aws_s3_bucket_lifecycle_configuration")["rule"]
    assert rule["expiration"] == [{"days": 365}]
    assert stacks["prod-network"].one("aws_cloudwatch_log_group")["retention_in_days"] == 365


@pytest.mark.parametrize(
    ("image", "fits"),
    [
        ("oaktree/web@sha256:" + "a" * 64, True),
        ("oaktree/web@sha256:" + "a" * 63, False),
        ("oaktree/web@sha256:" + "a" * 65, False),
        ("oaktree/web:latest", False),
        ("oaktree/web:latest@sha256:" + "a" * 64, False),
        ("oaktree/another@sha256:" + "a" * 64, False),
    ],
)
def test_a_record_names_an_image_of_its_service_by_digest(
    stacks: dict[str, Stack], image: str, fits: bool
) -> None:
    releases = stacks["dev-service"].content["data"]["aws_ssm_parameters_by_path"]["releases"]
    _, condition = releases["lifecycle"]["postcondition"]
    (pattern,) = re.findall(r'regex\("([^"]+)"', condition["condition"])
    registry = "111111111111.dkr.ecr.eu-central-1.amazonaws.com"
    assert bool(re.search(pattern, f"{registry}/{image}")) == fits
    assert not re.search(pattern, f"{registry.replace('.', 'x')}/{image}")
