"""The same service as it is usually written: FastAPI, boto3 in threads, AWS asked at each request.

`python -m benchmarks.web.usual PORT`, with the app's environment. Neither background checks nor
deadlines nor a log of requests, which makes it faster than a fair comparison would have it.
"""

import json
import os
import sys
from typing import Any

import boto3
import uvicorn
from boto3.dynamodb.types import TypeDeserializer
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class ComponentStatus(BaseModel):
    """How a component is doing."""

    state: str
    message: str


class Status(BaseModel):
    """How all are doing."""

    environment: str
    components: dict[str, ComponentStatus]


def create_app() -> FastAPI:
    """The service for the variables of the environment."""
    session = boto3.Session(region_name=os.environ["AWS_REGION"])
    dynamodb, ecs, ecr = session.client("dynamodb"), session.client("ecs"), session.client("ecr")
    cloudwatch = session.client("cloudwatch")
    resources = {component["id"]: component["resource"] for component in json.loads(os.environ["COMPONENTS"])}
    table = os.environ["TABLE"]
    image = os.environ["IMAGE"].partition("/")[2].partition("@")
    app = FastAPI()

    @app.get("/healthz")
    def health() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/api/status")
    def status() -> Status:
        described = dynamodb.describe_table(TableName=table)["Table"]
        services = ecs.describe_services(cluster=os.environ["CLUSTER"], services=[resources["services.web"]])
        service = services["services"][0]
        images = ecr.describe_images(repositoryName=image[0], imageIds=[{"imageDigest": image[2]}])
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix=resources["status.alarms"])["MetricAlarms"]
        messages = {
            "status.table": f"The table is {described['TableStatus']}.",
            "services.web": f"{service['runningCount']} of {service['desiredCount']} tasks run.",
            "status.image": f"{len(images['imageDetails'])} images.",
            "status.alarms": f"{len(alarms)} alarms.",
        }
        return Status(
            environment=os.environ["ENVIRONMENT"],
            components={
                name: ComponentStatus(state="operational", message=message)
                for name, message in messages.items()
            },
        )

    @app.get("/api/incidents/{identifier}")
    def incident(identifier: str) -> dict[str, Any]:
        key = {"pk": {"S": "web#incidents"}, "sk": {"S": f"incident#{identifier}"}}
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            raise HTTPException(404)
        deserializer = TypeDeserializer()
        return {name: deserializer.deserialize(value) for name, value in item.items()}

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
