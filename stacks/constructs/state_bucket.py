"""Where Terraform keeps the state of every stack of the project."""

from collections.abc import Iterator

from stacks import kinds, naming
from stacks.bindings import Construct
from stacks.constructs.private_bucket import PrivateBucket
from stacks.policies import Statement
from stacks.settings import Platform


class StateBucket:
    """The state bucket; another account may use the states of its own stacks in it.

    Who in that account does so is for the account's IAM policies to say.
    Source: Amazon S3 User Guide, "Bucket owner granting cross-account bucket permissions".
    """

    def __init__(self, scope: Construct, platform: Platform) -> None:
        project = platform.project
        bucket = PrivateBucket(
            scope,
            "state",
            name=naming.state_bucket(project),
            protected=project.protected,
            former_version_days=project.state_version_days,
            statements=tuple(_shared_states(platform)),
        )
        self.name = bucket.name


def _shared_states(platform: Platform) -> Iterator[Statement]:
    arn = f"arn:aws:s3:::{naming.state_bucket(platform.project)}"
    _, *other_account_ids = platform.account_ids()
    for account_id in other_account_ids:
        principals = {"AWS": f"arn:aws:iam::{account_id}:root"}
        states = [naming.state_key(stack.name) for stack in kinds.stacks_of_account(platform, account_id)]
        objects = [f"{arn}/{name}" for state in states for name in (state, f"{state}.tflock")]
        yield Statement(f"List{account_id}", ["s3:ListBucket"], [arn], principals=principals)
        yield Statement(
            f"Use{account_id}",
            ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            objects,
            principals=principals,
        )
