"""The CloudWatch dashboard of an environment, made of what is watched.

Source: Amazon CloudWatch API Reference, "Dashboard Body Structure and Syntax".
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from stacks import naming
from stacks.bindings import CloudwatchDashboard, Construct
from stacks.constructs.alarms import Alarms, Line
from stacks.metrics import CHARTS
from stacks.policies import Statement
from stacks.settings import Environment, Project

WIDTH: Final = 24
"""Columns of a dashboard."""

_CHART: Final = (8, 6)
"""Width and height of a chart: three stand beside each other."""

_ALARMS_IN_A_WIDGET: Final = 100

_ALARMS_IN_A_ROW: Final = 6

Widget = dict[str, Any]


class Dashboard:
    """The state of all alarms, then a chart for each figure, with a line for each service or store."""

    def __init__(self, scope: Construct, project: Project, environment: Environment, alarms: Alarms) -> None:
        name = naming.dashboard(project.name, environment.name)
        arns = [naming.alarm_arn(environment, each) for each in alarms.names]
        widgets = _in_rows([*_states(arns), *_sections(alarms.lines, environment.region)])
        dashboard = CloudwatchDashboard(
            scope,
            "dashboard",
            dashboard_name=name,
            dashboard_body=json.dumps({"widgets": [*widgets]}),
        )
        self.name = dashboard.dashboard_name
        region = environment.region
        self.url = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def _in_rows(rows: Sequence[Sequence[Widget]]) -> Iterator[Widget]:
    """Yields widgets with their places: each row below the previous one."""
    y = 0
    for row in rows:
        x = 0
        for widget in row:
            yield {**widget, "x": x, "y": y}
            x += widget["width"]
        y += max(widget["height"] for widget in row)


def _states(arns: Sequence[str]) -> Iterator[Sequence[Widget]]:
    """Yields the widgets that show the state of alarms."""
    for start in range(0, len(arns), _ALARMS_IN_A_WIDGET):
        shown = arns[start : start + _ALARMS_IN_A_WIDGET]
        lines = -(-len(shown) // _ALARMS_IN_A_ROW)
        yield [
            {
                "type": "alarm",
                "width": WIDTH,
                "height": 1 + lines,
                "properties": {"title": "Alarms", "alarms": list(shown)},
            }
        ]


def _sections(lines: Sequence[Line], region: str) -> Iterator[Sequence[Widget]]:
    """Yields a heading and rows of charts for each section that has something to show."""
    width, height = _CHART
    for title, charts in CHARTS.items():
        shown = [(chart, [line for line in lines if line.chart is chart]) for chart in charts]
        widgets = [
            {
                "type": "metric",
                "width": width,
                "height": height,
                "properties": {
                    "title": str(chart),
                    "region": region,
                    "view": "timeSeries",
                    "stacked": False,
                    "period": 60,
                    "metrics": [*_metrics(found)],
                },
            }
            for chart, found in shown
            if found
        ]
        if widgets:
            yield [{"type": "text", "width": WIDTH, "height": 1, "properties": {"markdown": f"## {title}"}}]
        in_a_row = WIDTH // width
        for start in range(0, len(widgets), in_a_row):
            yield widgets[start : start + in_a_row]


def _metrics(lines: Sequence[Line]) -> Iterator[list[Any]]:
    """Yields the lines of a chart, with the metric in their labels if it is not the same in all of them."""
    same = len({line.metric.name for line in lines}) == 1
    for line in lines:
        metric = line.metric
        dimensions = [part for dimension in metric.dimensions.items() for part in dimension]
        label = line.label if same and line.label else f"{line.label} {metric.name}".strip()
        yield [metric.namespace, metric.name, *dimensions, {"stat": metric.statistic, "label": label}]


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for dashboards."""
    return (
        Statement(
            "ChangeDashboards",
            actions=["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"],
            resources=[f"arn:aws:cloudwatch::{account_id}:dashboard/{project.name}-*"],
        ),
    )
