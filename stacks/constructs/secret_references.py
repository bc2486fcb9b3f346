"""Where a service's secrets are, as ECS and IAM name them."""

from stacks.bindings import Construct, DataAwsSecretsmanagerSecret
from stacks.workloads import Workload


class SecretReferences:
    """`value_from` by the container's name and the variable's.

    No value is read: neither plan nor state ever holds one.

    A secret of Secrets Manager has an ARN that only AWS knows, so Terraform looks it up, and a plan
    fails when there is none.
    Source: Amazon ECS Developer Guide, "Pass sensitive data to an Amazon ECS container".
    """

    def __init__(self, scope: Construct, workload: Workload) -> None:
        here = f"{workload.environment.region}:{workload.environment.account_id}"
        self.value_from: dict[str, dict[str, str]] = {each.name: {} for each in workload.containers}
        ssm_arns: dict[str, None] = {}
        secretsmanager_arns: dict[str, None] = {}
        for container, variable, reference in workload.secrets:
            if reference.store == "ssm":
                source = f"arn:aws:ssm:{here}:parameter{reference.name}"
                ssm_arns[source] = None
            else:
                whose = workload.key if container == workload.key else f"{workload.key}_sidecar_{container}"
                secret = DataAwsSecretsmanagerSecret(scope, f"{whose}_secret_{variable}", name=reference.name)
                source = f"{secret.arn}:{reference.json_key}::" if reference.json_key else secret.arn
                secretsmanager_arns[secret.arn] = None
            self.value_from[container][variable] = source
        self.ssm_arns = list(ssm_arns)
        self.secretsmanager_arns = list(secretsmanager_arns)
