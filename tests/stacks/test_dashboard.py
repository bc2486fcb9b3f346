"""The dashboard and the saved queries of an environment: what they show is there, as AWS documents it."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import pytest

from stacks.metrics import CHARTS, Metric, Statistic
from stacks.reading import read_platform
from stacks.watched_stores import TABLE_OPERATIONS
from tests.stacks.documented_metrics import problem_with
from tests.stacks.platform_files import environment, write_platform
from tests.stacks.terraform_json import Stack, read_stacks

SETTINGS = """
[services.web]
kind = "status"

[services.api]
dockerfile = "api/Dockerfile"
load_balancer = "own"

[services.worker]
kind = "worker"
same_image_as = "api"

[caches.carts]
replicas = 1
[databases.shop]
[queues.orders]
[queues.strict]
fifo = true
[tables.sessions]
partition_key = "id"

[services.nightly]
kind = "job"
same_image_as = "api"
schedule = "@daily"
"""

RESOURCES = {
    "CacheClusterId": ("aws_elasticache_replication_group", "replication_group_id"),
    "ClusterName": ("aws_ecs_cluster", "name"),
    "DBInstanceIdentifier": ("aws_db_instance", "identifier"),
    "LoadBalancer": ("aws_lb", "arn_suffix"),
    "LogGroupName": ("aws_cloudwatch_log_group", "name"),
    "NatGatewayId": ("aws_nat_gateway", "id"),
    "QueueName": ("aws_sqs_queue", "name"),
    "ServiceName": ("aws_ecs_service", "name"),
    "StateMachineArn": ("aws_sfn_state_machine", "arn"),
    "TableName": ("aws_dynamodb_table", "name"),
    "TargetGroup": ("aws_lb_target_group", "arn_suffix"),
}
"""What the value of a dimension is an attribute of."""


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    """The stacks of an environment with services of every kind."""
    from stacks.synthesis import synthesize

    directory = tmp_path_factory.mktemp("dashboard")
    synthesize(
        read_platform(write_platform(directory, dev=environment(services=SETTINGS))), directory / "cdktf.out"
    )
    return read_stacks(directory / "cdktf.out")


def body(stack: Stack) -> list[dict[str, Any]]:
    """The widgets of the dashboard."""
    widgets = json.loads(stack.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    return cast(list[dict[str, Any]], widgets)


def shown(stack: Stack) -> Iterator[Metric]:
    """The metrics in the charts."""
    for widget in body(stack):
        for namespace, name, *rest in widget["properties"].get("metrics", ()):
            dimensions, options = rest[:-1], rest[-1]
            pairs = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
            yield Metric(namespace, name, cast(Statistic, options["stat"]), pairs)


def compared(stack: Stack) -> Iterator[Metric]:
    """The metrics of the alarms."""
    for alarm in stack.all("aws_cloudwatch_metric_alarm").values():
        if "metric_name" in alarm:
            yield Metric(alarm["namespace"], alarm["metric_name"], alarm["statistic"], alarm["dimensions"])
        for query in alarm.get("metric_query", ()):
            if metric := query.get("metric"):
                yield Metric(metric["namespace"], metric["metric_name"], metric["stat"], metric["dimensions"])


def resolves(stacks: Mapping[str, Stack], environment_name: str, dimension: str, value: str) -> bool:
    """Whether the value of a dimension is that of a resource in an environment's stacks."""
    if dimension == "Operation":
        return value in TABLE_OPERATIONS
    kind, attribute = RESOURCES[dimension]
    if dimension == "CacheClusterId":
        # Nodes are numbered. Source: Amazon ElastiCache User Guide, "Metrics for Valkey and Redis OSS".
        value = value.removesuffix("-001").removesuffix("-002")
    service, network = stacks[f"{environment_name}-service"], stacks[f"{environment_name}-network"]
    if match := re.fullmatch(r"\$\{local\.(\w+)\}", value):
        # What another stack has, by the key of its output.
        assert f'"{match[1]}"' in service.content["locals"][match[1]]
        value = network.content["output"]["connections"]["value"][match[1]]
    if match := re.fullmatch(r"\$\{(\w+)\.([\w-]+)\.(\w+)\}", value):
        holders = [each for name, each in stacks.items() if name.startswith(f"{environment_name}-")]
        found = any(match[2] in each.all(match[1]) for each in holders)
        return found and (match[1], match[3]) == (kind, attribute)
    return any(
        resource.get(attribute) == value
        for name, stack in stacks.items()
        if name.startswith(f"{environment_name}-")
        for resource in stack.all(kind).values()
    )


def test_every_metric_of_alarms_and_charts_is_documented_and_of_a_resource_of_the_environment(
    stacks: dict[str, Stack],
) -> None:
    stack = stacks["dev-service"]
    found = [*shown(stack), *compared(stack)]
    assert [problem for metric in found if (problem := problem_with(metric))] == []
    values = {(dimension, value) for metric in found for dimension, value in metric.dimensions.items()}
    assert [each for each in values if not resolves(stacks, "dev", *each)] == []
    assert {dimension for dimension, _ in values} == {*RESOURCES, "Operation"}


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        ("ServiceName", "oaktree-dev-nightly"),
        ("QueueName", "oaktree-dev-strict"),
        ("LoadBalancer", "${aws_lb.other.arn_suffix}"),
        ("LoadBalancer", "${aws_lb.balancer.arn}"),
        ("Operation", "Truncate"),
    ],
)
def test_what_is_not_there_resolves_to_nothing(stacks: dict[str, Stack], dimension: str, value: str) -> None:
    assert not resolves(stacks, "dev", dimension, value)


def test_the_dashboard_is_what_cloudwatch_takes(stacks: dict[str, Stack]) -> None:
    """Source: Amazon CloudWatch API Reference, "Dashboard Body Structure and Syntax"."""
    dashboard = stacks["dev-service"].one("aws_cloudwatch_dashboard")
    assert re.fullmatch(r"[\w-]{1,255}", dashboard["dashboard_name"])
    needed = {"alarm": {"title", "alarms"}, "text": {"markdown"}, "metric": {"metrics", "region", "view"}}
    for widget in body(stacks["dev-service"]):
        assert widget.keys() == {"type", "x", "y", "width", "height", "properties"}
        assert 0 <= widget["x"] <= widget["x"] + widget["width"] <= 24
        assert widget["height"] >= 1
        assert needed[widget["type"]] <= widget["properties"].keys()


def test_no_two_widgets_overlap(stacks: dict[str, Stack]) -> None:
    def cells(widget: Mapping[str, Any]) -> set[tuple[int, int]]:
        x, y = widget["x"], widget["y"]
        return {(x + i, y + j) for i in range(widget["width"]) for j in range(widget["height"])}

    widgets = [cells(each) for each in body(stacks["dev-service"])]
    assert not any(one & other for one, other in combinations(widgets, 2))


def test_the_state_of_every_alarm_is_shown_the_environments_first(stacks: dict[str, Stack]) -> None:
    stack = stacks["dev-service"]
    first = body(stack)[0]
    arns = first["properties"]["alarms"]
    start = "arn:aws:cloudwatch:eu-central-1:111111111111:alarm:"
    alarms = (*stack.all("aws_cloudwatch_metric_alarm").values(), stack.one("aws_cloudwatch_composite_alarm"))
    assert arns[0] == f"{start}oaktree-dev/unhealthy"
    assert sorted(arns) == sorted(start + each["alarm_name"] for each in alarms)


def test_each_section_has_the_charts_that_have_lines(stacks: dict[str, Stack]) -> None:
    found: dict[str, list[str]] = {}
    for widget in body(stacks["dev-service"])[1:]:
        if widget["type"] == "text":
            found[widget["properties"]["markdown"].removeprefix("## ")] = []
        else:
            [*found.values()][-1].append(widget["properties"]["title"])
    assert found == {title: [str(chart) for chart in charts] for title, charts in CHARTS.items()}


def test_a_line_is_called_like_its_service(stacks: dict[str, Stack]) -> None:
    charts = {each["properties"].get("title"): each for each in body(stacks["dev-service"])}

    def labels(title: str) -> list[str]:
        return [line[-1]["label"] for line in charts[title]["properties"]["metrics"]]

    assert labels("Running tasks") == ["web", "api", "worker"]
    assert labels("Bytes through NAT gateways") == ["nat.a BytesInFromSource", "nat.a BytesInFromDestination"]
    assert labels("Bytes written to logs") == ["web", "api", "worker", "nightly", "flow-logs"]


def test_the_output_leads_to_the_dashboard(stacks: dict[str, Stack]) -> None:
    url = stacks["dev-service"].content["output"]["dashboard"]["value"]
    assert url.startswith("https://eu-central-1.console.aws.amazon.com/cloudwatch/")
    assert url.endswith("#dashboards/dashboard/oaktree-dev")


def test_saved_queries_read_the_logs_of_all_services(stacks: dict[str, Stack]) -> None:
    stack = stacks["dev-service"]
    queries = stack.all("aws_cloudwatch_query_definition").values()
    assert {each["name"] for each in queries} == {
        f"oaktree-dev/{name}" for name in ("errors", "slow-requests", "bytes-by-service")
    }
    groups = [f"${{aws_cloudwatch_log_group.{key}_log.name}}" for key in ("web", "api", "worker", "nightly")]
    for query in queries:
        assert query["log_group_names"] == groups
        assert len(query["query_string"]) <= 10_000


def test_more_log_groups_than_a_query_reads_have_further_queries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from stacks.constructs import saved_queries
    from stacks.synthesis import synthesize

    monkeypatch.setattr(saved_queries, "MOST_GROUPS", 3)
    platform = read_platform(write_platform(tmp_path, dev=environment(services=SETTINGS)))
    synthesize(platform, tmp_path / "cdktf.out")
    stack = read_stacks(tmp_path / "cdktf.out")["dev-service"]
    queries = {each["name"]: each for each in stack.all("aws_cloudwatch_query_definition").values()}
    assert len(queries) == 6
    assert queries["oaktree-dev/errors-2"]["log_group_names"] == [
        "${aws_cloudwatch_log_group.nightly_log.name}"
    ]


def test_more_alarms_than_a_widget_shows_have_further_widgets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from stacks.constructs import dashboard
    from stacks.synthesis import synthesize

    monkeypatch.setattr(dashboard, "_ALARMS_IN_A_WIDGET", 5)
    platform = read_platform(write_platform(tmp_path, dev=environment()))
    synthesize(platform, tmp_path / "cdktf.out")
    widgets = body(read_stacks(tmp_path / "cdktf.out")["dev-service"])
    lists = [each["properties"]["alarms"] for each in widgets if each["type"] == "alarm"]
    assert [len(each) for each in lists] == [5, 5, 1]
    assert len({arn for each in lists for arn in each}) == 11
