"""Where moto forgets or misreads what Terraform needs: one mend per module, all made by `mend_moto`."""

from ops.embedded_server.mends.autoscaling_tags import add_tag_actions
from ops.embedded_server.mends.bucket_policies import leave_out_conditions
from ops.embedded_server.mends.ecs_services import keep_service_settings
from ops.embedded_server.mends.rds_subnet_groups import keep_modified_subnet_groups
from ops.embedded_server.mends.rule_descriptions import keep_rule_descriptions
from ops.embedded_server.mends.vpc_endpoints import route_added_tables


def mend_moto() -> None:
    """Make every mend; to be called before the server answers."""
    add_tag_actions()
    keep_modified_subnet_groups()
    keep_rule_descriptions()
    keep_service_settings()
    leave_out_conditions()
    route_added_tables()
