"""Where a service's secrets are, as ECS and IAM name them."""

from stacks.bindings import Construct, DataAwsSecretsmanagerSecret
from stacks.workloads import Workload


class SecretReferences:
    """`value_from` by the variable's name. No value is read: neither plan nor state ever holds one.

    A secret of Secrets Manager has an ARN that only AWS knows, so Terraform looks it up, and a plan
    fails when there is none.
    Source: Amazon ECS Developer Guide, "Pass sensitive data to an Amazon ECS container".
    """

    def __init__(self, scope: Construct, workload: Workload) -> None:
        here = f"{workload.environment.region}:{workload.environment.account_id}"
        self.value_from: dict[str, str] = {}
        for variable, reference in sorted(workload.secrets.items()):
            if reference.store == "ssm":
                self.value_from[variable] = f"arn:aws:ssm:{here}:parameter{reference.name}"
            else:
                secret = DataAwsSecretsmanagerSecret(
                    scope, f"{workload.key}_{variable.lower()}", name=reference.name
                )
                self.value_from[variable] = secret.arn
        self.ssm_arns = [arn for arn in self.value_from.values() if arn.startswith("arn:aws:ssm:")]
        self.secretsmanager_arns = [arn for arn in self.value_from.values() if arn not in self.ssm_arns]
