"""What a stack reads of another: ids that only AWS knows, from one output of that stack's state."""

from collections.abc import Iterable
from typing import Final

from stacks import naming
from stacks.bindings import DataTerraformRemoteStateS3, Fn, TerraformLocal, Token
from stacks.constructs.platform_stack import PlatformStack

OUTPUT: Final = "connections"
"""The output of a stack that others read: a map of texts, whose keys are known before an apply."""


class Connections:
    """The values of another stack's `connections`, by key.

    The value of a key that is not there yet says so, and no AWS API takes it for an id. Then a Terraform
    check named `waits_for_<stack>` fails: the plan shows what it can, and commands refuse to apply it.

    Source: Terraform's documentation, "The terraform_remote_state Data Source", `defaults`, which stand for
    the outputs of a destroyed stack; and "Validate your configuration", checks.
    """

    def __init__(self, scope: PlatformStack, stack: str, keys: Iterable[str]) -> None:
        needed = tuple(keys)
        state = DataTerraformRemoteStateS3(
            scope,
            stack,
            bucket=naming.state_bucket(scope.project),
            key=naming.state_key(stack),
            region=scope.project.region,
            encrypt=True,
            defaults={OUTPUT: {}},
        )
        there = state.get(OUTPUT)
        self.values = {
            key: Token.as_string(Fn.lookup(there, key, f"{stack} has no {key} yet")) for key in needed
        }
        listed = ", ".join(f'"{key}"' for key in needed)
        output = f"data.terraform_remote_state.{stack}.outputs.{OUTPUT}"
        lacking = TerraformLocal(
            scope,
            f"lacking_{stack}",
            f'${{[for key in [{listed}] : key if lookup({output}, key, "") == ""]}}',
        ).fqn
        # CDKTF 0.21 knows no checks.
        scope.add_override(
            f"check.{naming.WAITS_FOR}{stack}",
            {
                "assert": [
                    {
                        "condition": f"${{length({lacking}) == 0}}",
                        "error_message": naming.waits(
                            scope.name, stack, f'it has no ${{join(", ", {lacking})}} yet'
                        ),
                    }
                ]
            },
        )
