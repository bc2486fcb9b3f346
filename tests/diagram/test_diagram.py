"""The picture of an environment: what is in it, that it is the same each time, and that Mermaid draws it."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from diagram import DiagramError, diagram, fenced
from diagram.configuration import Configuration
from tests.browser.chromium import running_chromium
from tests.places import ROOT
from tests.stacks.terraform_json import stacks_of_tests

MERMAID = ROOT / "tests" / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
Configurations = dict[str, dict[str, Any]]

ARN = "arn:aws:{}:eu-central-1:111111111111:{}"
SMALL: Configurations = {
    "net": {
        "terraform": {"backend": {"s3": {"bucket": "state", "key": "net.tfstate"}}},
        "variable": {"cidr": {"default": "10.0.0.0/16"}},
        "resource": {
            "aws_vpc": {"main": {"cidr_block": "${var.cidr}"}},
            "aws_internet_gateway": {"out": {"vpc_id": "${aws_vpc.main.id}"}},
            "aws_subnet": {
                "one": {"availability_zone": "zone-a", "cidr_block": "10.0.1.0/24"},
                "two": {"availability_zone": "zone-a", "cidr_block": "10.0.2.0/24"},
                "three": {"availability_zone": "zone-a", "cidr_block": "10.0.3.0/24"},
                "four": {"cidr_block": "10.0.4.0/24"},
            },
            "aws_nat_gateway": {"nat": {"subnet_id": "${aws_subnet.one.id}"}},
            "aws_route_table": {
                "open": {
                    "route": [{"cidr_block": "0.0.0.0/0", "gateway_id": "${aws_internet_gateway.out.id}"}]
                },
                "inner": {},
            },
            "aws_route": {
                "inner": {
                    "route_table_id": "${aws_route_table.inner.id}",
                    "destination_cidr_block": "0.0.0.0/0",
                    "nat_gateway_id": "${aws_nat_gateway.nat.id}",
                },
                "peer": {
                    "route_table_id": "${aws_route_table.inner.id}",
                    "destination_cidr_block": "10.9.0.0/16",
                    "gateway_id": "${aws_internet_gateway.out.id}",
                },
            },
            "aws_route_table_association": {
                "one": {"subnet_id": "${aws_subnet.one.id}", "route_table_id": "${aws_route_table.open.id}"},
                "two": {"subnet_id": "${aws_subnet.two.id}", "route_table_id": "${aws_route_table.inner.id}"},
            },
            "aws_db_subnet_group": {"data": {"subnet_ids": ["${aws_subnet.three.id}"]}},
            "aws_vpc_endpoint": {
                "tables": {"service_name": "com.amazonaws.${var.region}.dynamodb"},
                "images": {
                    "service_name": "com.amazonaws.eu-central-1.ecr.dkr",
                    "vpc_endpoint_type": "Interface",
                },
            },
        },
        "output": {"inner": {"value": "${aws_subnet.two.id}"}},
    },
    "app": {
        "data": {
            "terraform_remote_state": {
                "net": {"backend": "s3", "config": {"bucket": "state", "key": "net.tfstate"}}
            },
        },
        "locals": {"registry": "registry.test/team", "image": "${local.registry}/api:1"},
        "resource": {
            "aws_lb": {"front": {"name": "front"}},
            "aws_lb_target_group": {
                "api": {"port": 9000, "protocol": "HTTP", "health_check": {"path": "/up"}}
            },
            "aws_lb_listener": {
                "tls": {
                    "load_balancer_arn": "${aws_lb.front.arn}",
                    "port": 443,
                    "protocol": "HTTPS",
                    "default_action": {"type": "fixed-response"},
                }
            },
            "aws_lb_listener_rule": {
                "api": {
                    "listener_arn": "${aws_lb_listener.tls.arn}",
                    "action": [{"type": "forward", "target_group_arn": "${aws_lb_target_group.api.arn}"}],
                }
            },
            "aws_ecs_cluster": {"all": {"name": "all"}},
            "aws_ecs_service": {
                "api": {
                    "name": "api",
                    "cluster": "${aws_ecs_cluster.all.id}",
                    "desired_count": 2,
                    "capacity_provider_strategy": [
                        {"capacity_provider": "FARGATE", "weight": 1},
                        {"capacity_provider": "FARGATE_SPOT", "weight": 3},
                    ],
                    "load_balancer": {"target_group_arn": "${aws_lb_target_group.api.arn}"},
                    "network_configuration": {
                        "subnets": ["${data.terraform_remote_state.net.outputs.inner}"]
                    },
                    "task_definition": "${aws_ecs_task_definition.api.arn}",
                }
            },
            "aws_ecs_task_definition": {
                "api": {
                    "cpu": 256,
                    "memory": "2048",
                    "task_role_arn": "${aws_iam_role.api.arn}",
                    "container_definitions": json.dumps(
                        [
                            {
                                "image": "${local.image}",
                                "secrets": [{"name": "X", "valueFrom": ARN.format("ssm", "parameter/x")}],
                            }
                        ]
                    ),
                }
            },
            "aws_iam_role": {"api": {}},
            "aws_iam_role_policy": {
                "api": {
                    "role": "${aws_iam_role.api.id}",
                    "policy": json.dumps(
                        {
                            "Statement": {
                                "Effect": "Allow",
                                "Resource": ARN.format("dynamodb", "table/orders/index/*"),
                            }
                        }
                    ),
                }
            },
            "aws_dynamodb_table": {"orders": {"name": "orders"}},
            "aws_sns_topic": {"page": {"name": "page"}},
            "aws_cloudwatch_metric_alarm": {
                "cpu": {"dimensions": {"ServiceName": "api"}, "alarm_actions": ["${aws_sns_topic.page.arn}"]}
            },
        },
    },
}


def labels(chart: str) -> list[list[str]]:
    """The lines of each node and group, as they are read."""
    found = re.findall(r'^ *(?:subgraph )?n_\w+[(\[]+"(.*)"[)\]]+$', chart, re.MULTILINE)
    return [
        [
            re.sub(r"#(\d+);", lambda code: chr(int(code[1])), re.sub("</?b>", "", line))
            for line in each.split("<br/>")
        ]
        for each in found
    ]


def edges(chart: str) -> list[tuple[str, str, str, str]]:
    """Start, arrow, text and end of each edge, with the first lines of the nodes."""
    names = dict(
        re.findall(r'^ *(?:subgraph )?(n_\w+)[(\[]+"(?:<b>)?(.*?)(?:</b>.*)?"[)\]]+$', chart, re.MULTILINE)
    )
    found = re.findall(r'^ *(n_\w+) (<?-[-.]+>)(?:\|"(.*?)"\|)? (n_\w+)$', chart, re.MULTILINE)
    return [(names[start], arrow, text, names[end]) for start, arrow, text, end in found]


@pytest.fixture(scope="module")
def environments() -> dict[str, Configurations]:
    """The stacks of the tests' environments, by environment."""
    found: dict[str, Configurations] = {}
    for name, stack in stacks_of_tests().items():
        found.setdefault(name.split("-")[0], {})[name] = stack.content
    return found


def test_tiers_routes_and_services_come_from_the_references() -> None:
    chart = diagram(SMALL)
    assert labels(chart) == [
        ["Internet"],
        ["Edge"],
        ["front", "load balancer", "HTTPS 443"],
        ["VPC 10.0.0.0/16"],
        ["Internet gateway"],
        ["Public subnets"],
        ["zone-a", "10.0.1.0/24", "NAT gateway"],
        ["Private subnets"],
        ["zone-a", "10.0.2.0/24"],
        ["ECS cluster all"],
        ["api", "2 tasks on Fargate and Fargate Spot", "0.25 vCPU, 2 GiB", "image team/api:1"],
        ["Database subnets"],
        ["no way out", "zone-a 10.0.3.0/24"],
        ["Isolated subnets"],
        ["no way out", "four 10.0.4.0/24"],
        ["VPC endpoints", "gateway: dynamodb", "interface: ecr.dkr"],
        ["AWS services"],
        ["orders", "DynamoDB table"],
        ["page", "SNS topic"],
        ["x", "SSM parameter"],
    ]
    assert edges(chart) == [
        ("Internet", "-->", "", "front"),
        ("front", "-->", "HTTP 9000, health /up", "api"),
        ("Internet", "<-->", "", "Internet gateway"),
        ("Internet gateway", "<-->", "", "zone-a"),
        ("zone-a", "-->", "", "zone-a"),
        ("api", "-->", "by endpoint", "orders"),
        ("api", "-->", "", "x"),
        ("api", "-.->", "1 alarm", "page"),
    ]


def test_production_shows_all_that_a_stranger_looks_for(environments: dict[str, Configurations]) -> None:
    chart = diagram(environments["prod"])
    shown = labels(chart)
    assert ["oaktree-prod", "load balancer", "HTTPS 443", "HTTP 80 redirects to HTTPS 443"] in shown
    service = ["oaktree-prod-web", "3 to 12 tasks on Fargate", "0.5 vCPU, 1 GiB"]
    assert [*service, "image from SSM /oaktree/prod/releases"] in shown
    assert sum("NAT gateway" in lines for lines in shown) == 3
    assert ["VPC endpoints", "gateway: dynamodb, s3", "interface: ecr.api, ecr.dkr, logs"] in shown
    drawn = edges(chart)
    assert ("Internet", "-->", "", "status.example.com") in drawn
    asked = "status.example.com, HTTP 8080, health /healthz"
    assert ("oaktree-prod", "-->", asked, "oaktree-prod-web") in drawn
    assert ("oaktree-prod-web", "-->", "by endpoint", "oaktree-prod-status") in drawn
    assert ("oaktree-prod-web", "-->", "by endpoint", "oaktree/web") in drawn
    assert ("oaktree-prod-web", "-->", "", "oaktree/prod/web/write-token-sha256") in drawn
    assert ("oaktree-prod-web", "-.->", "6 alarms", "oaktree-prod-alarms") in drawn
    assert [(start, end) for start, arrow, _, end in drawn if start == end == "eu-central-1b"] == [
        ("eu-central-1b", "eu-central-1b")
    ]


def test_services_that_use_each_other_and_jobs_are_shown() -> None:
    """By the rules of their groups, since nothing else says who may connect to whom."""
    tasks = {
        name: {"container_definitions": json.dumps([{"name": name, "image": f"{name}@sha256:{'0' * 64}"}])}
        for name in ("web", "nightly")
    }
    resources = {
        "aws_security_group": {"web": {}, "nightly": {}},
        "aws_ecs_cluster": {"one": {"name": "cluster"}},
        "aws_ecs_task_definition": tasks,
        "aws_ecs_service": {
            "web": {
                "name": "web",
                "cluster": "${aws_ecs_cluster.one.arn}",
                "task_definition": "${aws_ecs_task_definition.web.arn}",
                "network_configuration": {"security_groups": ["${aws_security_group.web.id}"]},
            }
        },
        "aws_sfn_state_machine": {
            "nightly": {
                "name": "nightly",
                "definition": '{"Cluster": "${aws_ecs_cluster.one.arn}", "TaskDefinition": '
                '"${aws_ecs_task_definition.nightly.arn}", "Groups": ["${aws_security_group.nightly.id}"]}',
            },
            "another": {"name": "another", "definition": "{}"},
        },
        "aws_scheduler_schedule": {
            "nightly": {
                "schedule_expression": "rate(1 day)",
                "schedule_expression_timezone": "Etc/UTC",
                "target": {"arn": "${aws_sfn_state_machine.nightly.arn}"},
            }
        },
        "aws_vpc_security_group_egress_rule": {
            "to_web": {
                "security_group_id": "${aws_security_group.nightly.id}",
                "referenced_security_group_id": "${aws_security_group.web.id}",
                "from_port": 8081,
            }
        },
    }
    chart = diagram({"service": {"resource": resources}})
    assert ["nightly", "job", "rate(1 day) Etc/UTC", "image nightly@00000000"] in labels(chart)
    assert ("nightly", "-->", "port 8081", "web") in edges(chart)
    assert not any("another" in lines for lines in labels(chart))


def test_with_one_nat_gateway_all_private_subnets_go_through_it(
    environments: dict[str, Configurations],
) -> None:
    chart = diagram(environments["dev"])
    assert sum("NAT gateway" in lines for lines in labels(chart)) == 1
    starts = re.findall(r"^  (\w+private_\w) --> \w+public_a$", chart, re.MULTILINE)
    assert [start[-1] for start in starts] == ["a", "b"]


def test_every_environment_and_foundation_can_be_drawn(environments: dict[str, Configurations]) -> None:
    assert sorted(environments) == ["dev", "foundation", "prod", "staging"]
    for configurations in environments.values():
        chart = diagram(configurations)
        assert len(chart) < 20_000
        assert chart.isascii()


def test_the_same_stacks_give_the_same_text_in_any_order() -> None:
    turned = json.loads(json.dumps(SMALL, sort_keys=True))
    assert diagram(dict(reversed(turned.items()))) == diagram(SMALL)


def test_a_service_without_its_network_is_drawn_with_what_is_known() -> None:
    chart = diagram({"app": SMALL["app"]})
    assert ["ECS cluster all"] in labels(chart)
    assert "subnets" not in chart


def test_an_internal_load_balancer_is_not_reached_from_the_internet() -> None:
    configurations = deepcopy(SMALL)
    configurations["app"]["resource"]["aws_lb"]["front"]["internal"] = True
    chart = diagram(configurations)
    assert ["front", "internal load balancer", "HTTPS 443"] in labels(chart)
    assert [edge for edge in edges(chart) if edge[::3] == ("Internet", "front")] == []


def test_an_escaped_reference_is_none() -> None:
    configurations = deepcopy(SMALL)
    task = configurations["app"]["resource"]["aws_ecs_task_definition"]["api"]
    task["container_definitions"] = '[{"command": ["$${aws_sns_topic.page.arn}"]}]'
    assert "SNS" in diagram(configurations)
    assert [edge for edge in edges(diagram(configurations)) if edge[1::2] == ("-->", "page")] == []


def test_locals_that_refer_to_each_other_in_a_circle_end() -> None:
    configurations = deepcopy(SMALL)
    configurations["app"]["locals"] = {"image": "${local.other}", "other": "${local.image}${local.image}"}
    assert ["api", "2 tasks on Fargate and Fargate Spot", "0.25 vCPU, 2 GiB"] in labels(
        diagram(configurations)
    )


@pytest.mark.parametrize(
    ("configurations", "words"),
    [
        ({"x": []}, "x is not Terraform JSON: it must be an object"),
        ({"x": {"name": "package"}}, "x is not Terraform JSON: it has no block"),
        ({"x": {"resource_changes": [], "terraform_version": "1"}}, "x is a plan"),
        ({"x": {"terraform": {}}}, "there is nothing to draw in x"),
        (
            {"x": {"resource": {"aws_iam_role": {"a": {}}}}, "y": {"resource": {}}},
            "nothing to draw in x and y",
        ),
        ({}, "there is nothing to draw in no stack"),
    ],
)
def test_what_cannot_be_drawn_is_told(configurations: Any, words: str) -> None:
    with pytest.raises(DiagramError, match=re.escape(words)):
        diagram(configurations)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["${aws_vpc.a.id}", "${local.a}", "["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPES = sorted({kind for content in SMALL.values() for kind in content["resource"]})
KEYS = sorted(
    {
        key
        for content in SMALL.values()
        for each in content["resource"].values()
        for one in each.values()
        for key in one
    }
)
bodies = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)


@given(
    st.dictionaries(
        st.sampled_from(TYPES),
        st.dictionaries(st.text(max_size=8), bodies | st.lists(bodies, max_size=2) | values, max_size=2)
        | values,
        max_size=6,
    ),
    values,
)
def test_json_of_another_shape_is_drawn_or_told(resources: dict[str, Any], locals: Any) -> None:
    try:
        chart = diagram({"x": {"resource": resources, "locals": locals}})
    except DiagramError:
        return
    assert chart.isascii()
    assert all(set(line) <= set(chart) for line in chart.splitlines())


HOSTILE = [
    '"] --> x["',
    "<img src=x onerror=alert(1)>",
    "```\n# out",
    "`**bold** _x_`",
    "1. one",
    "- item",
    "end",
    "#quot; &lt; #35;",
    "%% comment { }",
    "a;b|c{d}(e)\\n",
    "click n_x href",
    "$$x^2$$",
    "fa:fa-car ümlaut ☂",
]


def hostile() -> Configurations:
    tables = {f"t{number:02}": {"name": name} for number, name in enumerate(HOSTILE)}
    return {
        '"]<b>': {"resource": {"aws_dynamodb_table": tables, "aws_ecs_service": {'a"]': {"name": "x[y]"}}}}
    }


def test_no_text_can_leave_its_label_or_the_fence() -> None:
    chart = diagram(hostile())
    block = fenced(chart)
    assert block.startswith("```mermaid\n")
    assert block.endswith("\n```\n")
    assert block.count("`") == 6
    names = {lines[0].replace("\u200b", "") for lines in labels(chart) if lines[-1] == "DynamoDB table"}
    assert names == {" ".join(name.split()) for name in HOSTILE}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as running:
        yield running


def drawn(browser: Browser, chart: str) -> tuple[list[str], int]:
    """The texts of a chart as Mermaid has drawn it, set as GitHub sets it, and how many images are in it."""
    assert MERMAID.is_file(), f"{MERMAID} is missing: make test installs it"
    page = browser.new_page()
    try:
        page.add_script_tag(path=MERMAID)
        page.evaluate(
            """async (chart) => {
                mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
                document.body.innerHTML = (await mermaid.render('picture', chart)).svg;
            }""",
            chart,
        )
        texts = page.locator("svg .nodeLabel p, svg .edgeLabel p").all_inner_texts()
        return texts, page.locator("svg img, svg script, svg a, svg i").count()
    finally:
        page.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", ["dev", "staging", "prod", "foundation"])
def test_mermaid_draws_every_label(
    browser: Browser, environments: dict[str, Configurations], name: str
) -> None:
    chart = diagram(environments[name])
    texts, _ = drawn(browser, chart)
    assert {" ".join(text.split()) for text in texts if text} == {
        *(" ".join(lines) for lines in labels(chart)),
        *(text for _, _, text, _ in edges(chart) if text),
    }


@pytest.mark.browser
def test_mermaid_draws_hostile_text_as_text(browser: Browser) -> None:
    chart = diagram(hostile())
    texts, foreign = drawn(browser, chart)
    assert foreign == 0
    assert sorted(" ".join(text.split()) for text in texts) == sorted(
        " ".join(each) for each in labels(chart)
    )


@pytest.mark.parametrize("written", ['{}["b"]', 'lookup({}, "b", "not there yet")'])
def test_of_a_map_in_another_stacks_output_only_the_value_that_is_used_counts(written: str) -> None:
    configuration = Configuration(
        {
            "net": {
                "resource": {"aws_subnet": {"a": {}, "b": {}}},
                "output": {"ids": {"value": {"a": "${aws_subnet.a.id}", "b": "${aws_subnet.b.id}"}}},
            },
            "app": {"data": {"terraform_remote_state": {"net": {"backend": "local"}}}},
        }
    )
    expression = written.format("data.terraform_remote_state.net.outputs.ids")
    found = configuration.references_in("app", f"${{{expression}}}")
    assert [each.key for each in found if each.stack == "net"] == ["net/aws_subnet.b"]
