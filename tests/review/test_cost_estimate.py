"""Before and after, totals and what is left out of them; and the arithmetic as properties."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from review.cost.prices import Price, Prices, meters, read_prices
from review.model import ABSENT, UNKNOWN, Billed, Tree
from tests.review.pricing import DAY, REGION, billed, estimated, priced

NAT: Tree = {}
MICRO: Tree = {
    "engine": "postgres",
    "instance_class": "db.t4g.micro",
    "storage_type": "gp3",
    "allocated_storage": 20,
}
OLD: Tree = {"arn": "arn:aws:ecs:eu-central-1:1:task-definition/web:1", "cpu": "256", "memory": "512"}
NEW: Tree = {"cpu": "512", "memory": "1024"}
WEB: dict[str, Tree] = {"desired_count": 1, "launch_type": "FARGATE"}


def test_a_new_revision_changes_what_the_service_costs() -> None:
    """The service itself changes in nothing but the revision, which is not known yet."""
    task = billed("aws_ecs_task_definition", OLD, NEW)
    before: Tree = {**WEB, "task_definition": "arn:aws:ecs:eu-central-1:1:task-definition/web:1"}
    web = billed("aws_ecs_service", before, {**WEB, "task_definition": UNKNOWN})
    (line,) = estimated(web, task).changed
    assert (line.before, line.after, line.what) == (
        Decimal("0.75").quantize(line.before),
        Decimal("1.5").quantize(line.after),
        "1 task of 0.5 vCPU and 1 GB, X86_64",
    )


def test_more_of_the_least_tasks_cost_although_the_service_stays_as_it_is() -> None:
    task = billed("aws_ecs_task_definition", OLD, OLD)
    values: Tree = {
        **WEB,
        "name": "web",
        "task_definition": "arn:aws:ecs:eu-central-1:1:task-definition/web:1",
    }
    web = billed("aws_ecs_service", values, values)
    one: Tree = {"min_capacity": 1, "resource_id": "service/dev/web"}
    four: Tree = {"min_capacity": 4, "resource_id": "service/dev/web"}
    found = estimated(web, task, billed("aws_appautoscaling_target", one, four))
    assert [round(line.change, 6) for line in found.changed] == [Decimal("2.25")]


def test_a_revision_is_found_by_family_and_number() -> None:
    task = billed(
        "aws_ecs_task_definition", after={"family": "web", "revision": 7, "cpu": "1024", "memory": "2048"}
    )
    web = billed("aws_ecs_service", after={**WEB, "task_definition": "web:7"})
    assert round(estimated(web, task).after, 6) == 3


def test_a_resource_whose_new_size_has_no_price_counts_on_neither_side() -> None:
    """Else a larger database would look like a saving."""
    larger: Tree = {**MICRO, "instance_class": "db.x9.huge"} if isinstance(MICRO, dict) else None
    found = estimated(billed("aws_db_instance", MICRO, larger), billed("aws_nat_gateway", ABSENT, NAT))
    assert found.before == 0
    assert round(found.after, 6) == 1
    assert [line.address for line in found.unpriced] == ["aws_db_instance.x"]


def test_the_same_gap_on_both_sides_leaves_the_rest_comparable() -> None:
    gp2: dict[str, Tree] = {
        "engine": "postgres",
        "instance_class": "db.t4g.micro",
        "storage_type": "gp2",
        "allocated_storage": 9,
    }
    found = estimated(
        billed("aws_db_instance", gp2, {**gp2, "instance_class": "db.t4g.small"}),
        prices=priced(rds_db_t4g_micro_single="2", rds_db_t4g_small_single="5"),
    )
    assert round(found.after - found.before, 6) == 3
    assert found.unpriced


def test_what_does_not_change_is_in_the_totals_only() -> None:
    found = estimated(billed("aws_nat_gateway", NAT, NAT))
    assert round(found.before, 6) == round(found.after, 6) == 1
    assert found.changed == found.unpriced == ()
    unpriced = estimated(billed("aws_instance", NAT, NAT))
    assert (unpriced.unpriced, unpriced.unchanged_unpriced) == ((), 1)


def test_a_change_of_what_has_no_price_is_named() -> None:
    changed = Billed("aws_instance.x", "aws_instance", REGION, NAT, NAT, is_changed=True)
    assert [line.what for line in estimated(changed).unpriced] == ["an EC2 instance"]


def test_what_costs_by_use_is_counted_when_it_changes() -> None:
    found = estimated(
        billed("aws_sqs_queue", after={}),
        billed("aws_sqs_queue", after={}, address="aws_sqs_queue.y"),
        billed("aws_s3_bucket", {}, {}),
        billed("aws_dynamodb_table", after={"billing_mode": "PAY_PER_REQUEST"}),
        billed("aws_dynamodb_table", after={"billing_mode": "PROVISIONED"}, address="aws_dynamodb_table.y"),
    )
    assert found.by_use == (("DynamoDB on demand", 1), ("SQS", 2))


def dashboards(count: int, before: Tree = ABSENT) -> list[Billed]:
    return [
        billed("aws_cloudwatch_dashboard", before, {}, address=f"aws_cloudwatch_dashboard.d{number}")
        for number in range(count)
    ]


def test_the_first_three_dashboards_are_free() -> None:
    assert estimated(*dashboards(3)).after == 0
    assert estimated(*dashboards(5)).after == 2
    assert estimated(*dashboards(5)).changed[0].what == "5 dashboards of dev, 3 of them free"
    grown = estimated(*dashboards(3, before={}), billed("aws_cloudwatch_dashboard", after={}, address="z"))
    assert grown.before == 0
    assert grown.after == 1


def test_regions_and_the_oldest_date_are_those_of_the_prices_used() -> None:
    found = estimated(billed("aws_nat_gateway", after=NAT))
    assert (found.regions, found.as_of) == ((REGION,), DAY)
    assert (estimated().regions, estimated().as_of) == ((), None)


def test_a_region_without_prices_or_an_unknown_one_is_said() -> None:
    here = estimated(billed("aws_nat_gateway", after=NAT, region="sa-east-1"))
    assert here.unpriced[0].gaps == ("a NAT gateway has no price for sa-east-1",)
    nowhere = estimated(billed("aws_nat_gateway", after=NAT, region=""))
    assert nowhere.unpriced[0].gaps == ("its region is not known",)


def test_amounts_are_exact() -> None:
    """0.1 + 0.2 is 0.3, as with decimals only."""
    rows = read_prices().by_region["us-east-1"]
    alarms = [
        billed("aws_cloudwatch_metric_alarm", after={"period": 60}, region="us-east-1", address=f"a{number}")
        for number in range(3)
    ]
    assert estimated(*alarms, prices=Prices({"us-east-1": rows})).after == Decimal("0.3")


VALUES: st.SearchStrategy[tuple[str, Tree]] = st.one_of(
    st.tuples(st.just("aws_nat_gateway"), st.just({})),
    st.tuples(st.just("aws_eip"), st.just({})),
    st.tuples(
        st.just("aws_lb"),
        st.builds(
            lambda subnets, internal: {"subnets": subnets, "internal": internal},
            st.one_of(st.just(UNKNOWN), st.lists(st.just("s"), max_size=4)),
            st.booleans(),
        ),
    ),
    st.tuples(
        st.just("aws_db_instance"),
        st.builds(
            lambda size, storage, zones: {
                "engine": "postgres",
                "instance_class": size,
                "storage_type": "gp3",
                "allocated_storage": storage,
                "multi_az": zones,
            },
            st.sampled_from(["db.t4g.micro", "db.m7g.large", "db.x9.huge"]),
            st.one_of(st.just(UNKNOWN), st.integers(20, 2000)),
            st.booleans(),
        ),
    ),
    st.tuples(
        st.just("aws_cloudwatch_metric_alarm"), st.builds(lambda s: {"period": s}, st.sampled_from([10, 60]))
    ),
    st.tuples(st.just("aws_cloudwatch_dashboard"), st.just({})),
    st.tuples(st.just("aws_instance"), st.just({})),
)
SIDES = st.sampled_from(["created", "deleted", "kept", "changed"])


@st.composite
def resources(draw: st.DrawFn) -> list[Billed]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        type_, values = draw(VALUES)
        side = draw(SIDES)
        second = draw(VALUES)
        other = second[1] if side == "changed" and second[0] == type_ else values
        before = ABSENT if side == "created" else values
        after = ABSENT if side == "deleted" else other
        found.append(billed(type_, before, after, address=f"{type_}.r{number}"))
    return found


EXACT = Prices({REGION: {key: Price(Decimal("0.0125"), DAY, "made up") for key in meters()}})
PRICES = st.sampled_from([EXACT, read_prices()])


def swapped(each: Billed) -> Billed:
    return Billed(each.address, each.type, each.region, each.after, each.before, each.is_changed)


@given(resources(), PRICES)
def test_undoing_a_plan_undoes_its_cost(all_: list[Billed], prices: Prices) -> None:
    one, other = estimated(*all_, prices=prices), estimated(*map(swapped, all_), prices=prices)
    assert (one.before, one.after) == (other.after, other.before)
    assert one.after - one.before == -(other.after - other.before)


@given(resources(), VALUES, PRICES)
def test_one_more_resource_never_costs_less(
    all_: list[Billed], one: tuple[str, Tree], prices: Prices
) -> None:
    more = billed(one[0], after=one[1], address=f"{one[0]}.more")
    before, after = estimated(*all_, prices=prices), estimated(*all_, more, prices=prices)
    assert after.after >= before.after
    assert after.before == before.before


@given(resources(), PRICES)
def test_the_total_is_that_of_the_lines_in_any_order(all_: list[Billed], prices: Prices) -> None:
    found = estimated(*all_, prices=prices)
    assert found.after - found.before == sum((line.change for line in found.changed), Decimal(0))
    assert estimated(*reversed(all_), prices=prices).after == found.after


@given(resources(), PRICES)
def test_what_is_created_and_costs_money_is_priced_or_named(all_: list[Billed], prices: Prices) -> None:
    found = estimated(*all_, prices=prices)
    told = {line.address for line in (*found.changed, *found.unpriced)}
    created = [each for each in all_ if each.before is ABSENT and each.type != "aws_cloudwatch_dashboard"]
    assert {each.address for each in created} <= told
