"""The app's surroundings: an embedded AWS with a table, and the app in it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.webapp.environment import REGION, TABLE, environ_of
from tests.webapp.processes import App, running_app, running_moto
from webapp.contract import PARTITION_KEY, SORT_KEY


@pytest.fixture(scope="session")
def embedded_aws() -> Iterator[str]:
    """Address of an embedded AWS that has the app's table."""
    with running_moto() as url:
        httpx.post(
            url,
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": "DynamoDB_20120810.CreateTable",
                "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/dynamodb/aws4_request",
            },
            json={
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": PARTITION_KEY, "AttributeType": "S"},
                    {"AttributeName": SORT_KEY, "AttributeType": "S"},
                ],
                "KeySchema": [
                    {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
                    {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
                ],
            },
        ).raise_for_status()
        yield url


@pytest.fixture(scope="session")
def app(embedded_aws: str) -> Iterator[App]:
    """The app in healthy surroundings."""
    with running_app(environ_of(embedded_aws)) as running:
        yield running
