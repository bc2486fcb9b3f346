"""Creates the app's table for compose.yaml: `python make_table.py NAME PARTITION_KEY SORT_KEY EXPIRY`."""

import sys

import boto3


def main(name: str, partition_key: str, sort_key: str, expiry: str) -> None:
    """Create the table unless it exists."""
    dynamodb = boto3.client("dynamodb")
    try:
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": partition_key, "AttributeType": "S"},
                {"AttributeName": sort_key, "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": partition_key, "KeyType": "HASH"},
                {"AttributeName": sort_key, "KeyType": "RANGE"},
            ],
        )
    except dynamodb.exceptions.ResourceInUseException:
        return
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"AttributeName": expiry, "Enabled": True}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
