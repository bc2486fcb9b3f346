"""A deployed service on an embedded AWS, as the service stack and a release leave it."""

import json
from dataclasses import dataclass
from typing import Any

from ops.local.embedded import Embedded
from ops.releases.records import Releases
from stacks.settings import Platform
from tests.ops.alarms import make_alarm
from tests.ops.conftest import ACCOUNT, REGION

CLUSTER = "oaktree-dev"
SERVICE = "oaktree-dev-web"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web"


@dataclass(frozen=True)
class Account:
    """The environment dev of a platform, in its account."""

    embedded: Embedded
    platform: Platform

    def client(self, service: str) -> Any:
        return self.embedded.client(service, REGION)

    @property
    def releases(self) -> Releases:
        dev = self.platform.environments["dev"]
        return Releases(self.platform.project, dev, self.client("ssm"), self.client("ecr"))

    def push(self, commit: str) -> str:
        """Put an image of a commit into the registry; returns it by digest."""
        ecr = self.client("ecr")
        if not ecr.describe_repositories()["repositories"]:
            ecr.create_repository(repositoryName="oaktree/web")
        media_type = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": media_type, "annotations": {"commit": commit}}
        named = {"repositoryName": "oaktree/web"}
        found = ecr.batch_get_image(**named, imageIds=[{"imageTag": commit}])["images"] or [
            ecr.put_image(**named, imageManifest=json.dumps(manifest), imageTag=commit)["image"]
        ]
        return f"{REPOSITORY}@{found[0]['imageId']['imageDigest']}"

    def define(self, image: str, commit: str) -> str:
        """Register a revision of the task definition; returns its ARN."""
        container = {
            "name": "web",
            "image": image,
            "memory": 128,
            "environment": [{"name": "COMMIT", "value": commit}],
        }
        ecs = self.client("ecs")
        made = ecs.register_task_definition(family=SERVICE, containerDefinitions=[container])
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def serve(self, definition: str, desired_count: int = 0) -> None:
        """Have the service, with that many tasks; the embedded AWS starts none."""
        ecs = self.client("ecs")
        ecs.create_cluster(clusterName=CLUSTER)
        ecs.create_service(
            cluster=CLUSTER, serviceName=SERVICE, taskDefinition=definition, desiredCount=desired_count
        )

    def run_task(self, definition: str, group: str = f"service:{SERVICE}") -> str:
        """Start a task as the service would; returns its ARN."""
        ecs = self.client("ecs")
        ran = ecs.run_task(cluster=CLUSTER, taskDefinition=definition, launchType="FARGATE", group=group)
        return str(ran["tasks"][0]["taskArn"])

    def alarm(self, name: str, state: str) -> None:
        """Have an alarm in a state."""
        cloudwatch = self.client("cloudwatch")
        make_alarm(cloudwatch, name)
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="for the test")
