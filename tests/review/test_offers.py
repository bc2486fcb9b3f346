"""Prices from AWS's price files: from a server with small files of the same form."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from review.cost.offers import prices_of, text_of
from review.cost.prices import PRICES, Price, Prices, read_prices
from tests.serving import free_port, serving

REGION = "eu-central-1"
COLUMNS = (
    '"SKU","OfferTermCode","RateCode","TermType","PriceDescription","EffectiveDate","StartingRange","EndingRange",'
    '"Unit","PricePerUnit","Currency","Product Family","Database Engine","Cache Engine","usageType"'
)


def row(sku: str, usage: str, usd: str, **columns: str) -> str:
    values = {"term": "OnDemand", "family": "", "engine": "", "cache": "", "currency": "USD"} | columns
    return (
        f'"{sku}","JRTCKXETXF","{sku}.1","{values["term"]}","a, b","2026-10-01","0","Inf",'
        f'"Hrs","{usd}","{values["currency"]}","{values["family"]}","{values["engine"]}","{values["cache"]}","{usage}"'
    )


def file(offer: str, *rows: str, published: str = "2026-10-07T11:55:40Z") -> str:
    head = [
        '"FormatVersion","v1.0"',
        '"Disclaimer","This pricing list is for informational purposes only."',
        f'"Publication Date","{published}"',
        '"Version","20261007115540"',
        f'"OfferCode","{offer}"',
    ]
    return "\n".join([*head, COLUMNS, *rows]) + "\n"


@contextmanager
def aws(files: Mapping[str, str], modified: str = "Tue, 29 Sep 2026 21:37:30 GMT") -> Iterator[str]:
    """A server with these files, by the part of the address after `/offers/v1.0/aws/`; others are missing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/offers/v1.0/aws/").removeprefix("/")
            content = files.get(name)
            self.send_response(404 if content is None else 200)
            if modified:
                self.send_header("Last-Modified", modified)
            self.end_headers()
            self.wfile.write((content or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def found(files: Mapping[str, str]) -> tuple[dict[str, Price], tuple[str, ...]]:
    with aws(files) as address:
        read = prices_of(REGION, address, address)
    return dict(read.prices), tuple(problem for problem in read.problems if "status 404" not in problem)


def usd(files: Mapping[str, str]) -> dict[str, str]:
    return {key: f"{price.usd:f}" for key, price in found(files)[0].items()}


def test_a_price_has_the_date_and_the_version_of_its_file() -> None:
    files = {
        f"AmazonEC2/current/{REGION}/index.csv": file(
            "AmazonEC2", row("N", "EUC1-NatGateway-Hours", "0.0520000000")
        )
    }
    with aws(files) as address:
        read = prices_of(REGION, address, address)
    source = f"{address}/offers/v1.0/aws/AmazonEC2/20261007115540/{REGION}/index.csv"
    assert read.prices == {"nat": Price(Decimal("0.0520000000"), date(2026, 10, 7), source)}
    assert f"{address}/offers/v1.0/aws/AWSELB/current/{REGION}/index.csv: status 404" in read.problems


def test_a_usage_type_of_another_kind_is_not_taken() -> None:
    rows = (
        row("A", "EUC1-Fargate-vCPU-Hours:perCPU", "0.04656"),
        row("B", "EUC1-SpotUsage-Fargate-vCPU-Hours:perCPU", "0.01"),
        row("C", "EUC1-Fargate-ARM-vCPU-Hours:perCPU", "0.03725"),
        row("D", "EUC1-Fargate-Windows-vCPU-Hours:perCPU", "0.053"),
        row("E", "Fargate-GB-Hours", "0.00511"),
    )
    assert usd({f"AmazonECS/current/{REGION}/index.csv": file("AmazonECS", *rows)}) == {
        "fargate.x86_64.vcpu": "0.04656",
        "fargate.arm64.vcpu": "0.03725",
        "fargate.x86_64.gb": "0.00511",
    }


def test_a_column_tells_what_shares_a_usage_type() -> None:
    files = {
        f"AWSELB/current/{REGION}/index.csv": file(
            "AWSELB",
            row("A", "EUC1-LoadBalancerUsage", "0.027", family="Load Balancer-Application"),
            row("N", "EUC1-LoadBalancerUsage", "0.028", family="Load Balancer-Network"),
            row("C", "EUC1-LoadBalancerUsage", "0.03", family="Load Balancer"),
        ),
        f"AmazonRDS/current/{REGION}/index.csv": file(
            "AmazonRDS",
            row("P", "EUC1-InstanceUsage:db.t4g.micro", "0.019", engine="PostgreSQL"),
            row("M", "EUC1-InstanceUsage:db.t4g.micro", "0.02", engine="MySQL"),
            row("G", "EUC1-RDS:Multi-AZ-GP3-Storage", "0.274", engine="Any"),
        ),
        f"AmazonElastiCache/current/{REGION}/index.csv": file(
            "AmazonElastiCache",
            row("V", "EUC1-NodeUsage:cache.t4g.micro", "0.0144", cache="Valkey"),
            row("R", "EUC1-NodeUsage:cache.t4g.micro", "0.018", cache="Redis"),
        ),
    }
    assert usd(files) == {
        "alb": "0.027",
        "nlb": "0.028",
        "rds.db.t4g.micro.single": "0.019",
        "rds.gp3.multi": "0.274",
        "valkey.cache.t4g.micro": "0.0144",
    }


def test_reserved_free_and_foreign_prices_are_not_taken() -> None:
    rows = (
        row("K", "eu-central-1-KMS-Keys", "0.5", term="Reserved"),
        row("K", "eu-central-1-KMS-Keys", "7", currency="CNY"),
        row("K", "eu-central-1-KMS-Keys", "0.0000000000"),
        row("L", "us-east-1-KMS-Keys", "2"),
        row("K", "eu-central-1-KMS-Keys", "1.0000000000"),
    )
    assert usd({f"awskms/current/{REGION}/index.csv": file("awskms", *rows)}) == {"kms": "1.0000000000"}


def test_the_dearest_step_is_the_price_and_some_files_are_of_all_regions() -> None:
    files = {
        "AmazonRoute53/current/index.csv": file(
            "AmazonRoute53", row("Z", "HostedZone", "0.50"), row("Z", "HostedZone", "0.10")
        ),
        "AmazonCloudWatch/current/index.csv": file(
            "AmazonCloudWatch",
            row("D", "DashboardsUsageHour", "0"),
            row("D", "DashboardsUsageHour", "3"),
            row("F", "Global-DashboardsUsageHour", "9"),
        ),
    }
    assert usd(files) == {"zone": "0.50", "dashboard": "3"}


def test_two_products_with_different_prices_are_none_and_said() -> None:
    rows = (row("A", "EUC1-VpcEndpoint-Hours", "0.012"), row("B", "EUC1-VpcEndpoint-Hours", "0.013"))
    prices, problems = found({f"AmazonVPC/current/{REGION}/index.csv": file("AmazonVPC", *rows)})
    assert prices == {}
    assert "an interface endpoint in a zone has several prices: 0.012, 0.013" in problems[0]


SPOT = """{"prices": [
  {"unit": "ARM-vCPU-Hours", "price": {"USD": "0.0113"}, "attributes": {"aws:region": "eu-central-1"}},
  {"unit": "ARM-vCPU-Hours", "price": {"USD": "0.0103"}, "attributes": {"aws:region": "us-east-1"}},
  {"unit": "GB-Hours", "price": {"USD": "0"}, "attributes": {"aws:region": "eu-central-1"}}
]}"""


@pytest.mark.parametrize("modified", ["", "yesterday"])
def test_prices_of_spot_without_a_date_are_refused(modified: str) -> None:
    with aws({"fargate-spot-prices.json": SPOT}, modified) as address:
        read = prices_of(REGION, address, address)
    assert "fargate.spot.arm64.vcpu" not in read.prices
    (told,) = [each for each in read.problems if "spot" in each]
    assert told == f"{address}/fargate-spot-prices.json: has no date, for want of a header Last-Modified"


def test_prices_of_spot_have_the_date_of_their_file() -> None:
    prices, _ = found({"fargate-spot-prices.json": SPOT})
    assert {key: (str(price.usd), price.as_of) for key, price in prices.items()} == {
        "fargate.spot.arm64.vcpu": ("0.0113", date(2026, 9, 29))
    }


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (f"AmazonVPC/current/{REGION}/index.csv", "<html>", "is not a price file"),
        (f"AmazonVPC/current/{REGION}/index.csv", file("AmazonVPC", published="soon"), "is not a price file"),
        (
            f"AmazonVPC/current/{REGION}/index.csv",
            file("AmazonVPC", row("A", "EUC1-VpcEndpoint-Hours", "cheap")),
            "is not built like a price file",
        ),
        ("fargate-spot-prices.json", "[]", "is not built like AWS's file of Spot prices"),
        ("fargate-spot-prices.json", "<html>", "is not built like AWS's file of Spot prices"),
    ],
)
def test_what_is_no_price_file_is_said(name: str, content: str, told: str) -> None:
    prices, problems = found({name: content})
    assert prices == {}
    assert [told in problem for problem in problems] == [True]


def test_a_server_that_does_not_answer_is_said() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    read = prices_of(REGION, address, address)
    assert not read.prices
    assert all(problem.startswith(address) for problem in read.problems)


def test_the_largest_file_is_read_no_further_than_needed() -> None:
    """That of EC2 has some GB: the server here would never end it."""
    asked = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if "AmazonEC2" in self.path else 404)
            self.end_headers()
            if "AmazonEC2" not in self.path:
                return
            try:
                self.wfile.write(file("AmazonEC2", row("N", "EUC1-NatGateway-Hours", "0.052")).encode())
                while True:
                    self.wfile.write((row("B", "EUC1-BoxUsage:m7g.large", "0.0978") + "\n").encode() * 1000)
            except OSError:
                asked.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        address = f"http://127.0.0.1:{server.server_port}"
        assert list(prices_of(REGION, address, address).prices) == ["nat"]
        assert asked.wait(60)


def test_the_table_is_written_as_it_is_read() -> None:
    table = read_prices()
    odd = Price(Decimal("0.1"), date(2026, 1, 1), 'a "quoted" \\ source, \u00e4')
    more = Prices({**table.by_region, "sa-east-1": {"nat": odd}})
    assert text_of(table) == PRICES.read_text()
    assert 'source = "a \\"quoted\\" \\\\ source, \u00e4"' in text_of(more)
