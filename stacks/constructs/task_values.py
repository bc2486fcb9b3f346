"""What the containers of a task are given, as ECS and IAM name it."""

from collections.abc import Mapping

from stacks.bindings import Construct, DataAwsSecretsmanagerSecret
from stacks.constructs.data_connections import DataConnections
from stacks.constructs.mounts import Mounts
from stacks.constructs.releases import Releases
from stacks.containers import Addressed, Container, Reference, Stored
from stacks.values import SecretReference, literal
from stacks.workloads import Workload


class TaskValues:
    """Images, variables, secrets and `mounts` of a workload's containers.

    `balancers` are the DNS names of the load balancers, by their keys.

    `value_from` is where secrets are, by the container's name and the variable's. No value is read: neither
    plan nor state ever holds one. A secret of Secrets Manager that the settings name has an ARN that only AWS
    knows, so Terraform looks it up, and a plan fails when there is none.

    Source: Amazon ECS Developer Guide, "Pass sensitive data to an Amazon ECS container".
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        releases: Releases,
        data: DataConnections,
        balancers: Mapping[str, str],
    ) -> None:
        self._releases, self._data, self._balancers = releases, data, balancers
        self.mounts = Mounts(scope, workload, data)
        here = f"{workload.environment.region}:{workload.environment.account_id}"
        self.value_from: dict[str, dict[str, str]] = {each.name: {} for each in workload.containers}
        ssm_arns: dict[str, None] = {}
        secretsmanager_arns: dict[str, None] = {}
        for container in workload.containers:
            whose = (
                workload.key if container.name == workload.key else f"{workload.key}_sidecar_{container.name}"
            )
            for variable, reference in sorted(container.secrets.items()):
                if not isinstance(reference, SecretReference):
                    arn = data.values[reference.key]
                elif reference.store == "ssm":
                    arn = f"arn:aws:ssm:{here}:parameter{reference.name}"
                else:
                    arn = DataAwsSecretsmanagerSecret(
                        scope, f"{whose}_secret_{variable}", name=reference.name
                    ).arn
                of_ssm = isinstance(reference, SecretReference) and reference.store == "ssm"
                (ssm_arns if of_ssm else secretsmanager_arns)[arn] = None
                self.value_from[container.name][variable] = (
                    f"{arn}:{reference.json_key}::" if reference.json_key else arn
                )
        self.ssm_arns = list(ssm_arns)
        self.secretsmanager_arns = list(secretsmanager_arns)

    def image(self, container: Container) -> str:
        """Returns the image that a container runs."""
        return self._releases.image(container)

    def variables(self, container: Container) -> dict[str, str]:
        """Returns the plain variables of a container."""
        return {name: self._resolved(container, value) for name, value in container.variables.items()}

    def _resolved(self, container: Container, value: str | Reference | Stored | Addressed) -> str:
        if isinstance(value, Stored):
            return self._data.values[value.key]
        if not isinstance(value, Addressed):
            return self._releases.resolved(container, value)
        text = literal(value.text)
        for key, placeholder in value.balancers.items():
            text = text.replace(placeholder, self._balancers[key])
        return text
