"""Charts of response times: they show every sample, and break where there is none."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from webapp.page.charts import HEIGHT, POINTS, TABLE_ROWS, WIDTH, Sample, chart_of

END = datetime(2026, 11, 23, 6, 25, tzinfo=UTC)
START = END - timedelta(hours=24)
SAMPLES = st.lists(
    st.builds(
        lambda minute, p50, more: Sample(START + timedelta(minutes=minute), p50, p50 + more),
        st.integers(0, 1439),
        st.floats(0, 10_000),
        st.floats(0, 10_000),
    ),
    unique_by=lambda sample: sample.at,
    min_size=1,
    max_size=300,
)


def sample(minute: int, p50: float, p95: float) -> Sample:
    """The latencies of one minute of the day."""
    return Sample(START + timedelta(minutes=minute), p50, p95)


def test_there_is_no_chart_without_samples() -> None:
    assert chart_of([], START, END) is None
    assert chart_of([Sample(END, 1, 1)], START, END) is None


def test_a_point_is_the_median_of_its_p50_and_the_highest_of_its_p95() -> None:
    chart = chart_of([sample(0, 10, 40), sample(1, 20, 90), sample(2, 90, 95)], START, END)
    assert chart is not None
    assert chart.points == (Sample(START, 20, 95),)
    assert chart.top == 100


def test_lines_break_where_there_is_no_data() -> None:
    chart = chart_of([sample(minute, 50, 60) for minute in (*range(60), *range(120, 180))], START, END)
    assert chart is not None
    assert chart.p50.count("M") == chart.p95.count("M") == chart.band.count("z") == 2


@given(SAMPLES)
def test_everything_is_within_the_drawing(samples: list[Sample]) -> None:
    chart = chart_of(samples, START, END)
    assert chart is not None
    assert len(chart.points) <= POINTS
    assert len(chart.rows) <= TABLE_ROWS
    for path in (chart.p50, chart.p95, chart.band):
        for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT
    assert max(each.p95 for each in chart.rows) == max(each.p95 for each in samples) <= chart.top
