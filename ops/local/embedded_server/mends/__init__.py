"""Where moto forgets or misreads what Terraform or the app needs: one mend per module, all by `mend_moto`."""

from ops.local.embedded_server.mends.access_keys import look_up_access_keys_fast
from ops.local.embedded_server.mends.account_limits import tell_account_limits
from ops.local.embedded_server.mends.alarm_states import act_on_states
from ops.local.embedded_server.mends.autoscaling_tags import add_tag_actions
from ops.local.embedded_server.mends.bucket_lifecycles import refuse_lifecycles
from ops.local.embedded_server.mends.bucket_notifications import notify_as_s3
from ops.local.embedded_server.mends.bucket_policies import (
    leave_out_conditions,
    refuse_statements_without_actions,
)
from ops.local.embedded_server.mends.bucket_versions import keep_suspended_versions
from ops.local.embedded_server.mends.cache_groups import keep_cache_groups
from ops.local.embedded_server.mends.cache_users import keep_cache_users
from ops.local.embedded_server.mends.caches import keep_caches
from ops.local.embedded_server.mends.composite_alarms import add_composite_alarms
from ops.local.embedded_server.mends.dynamodb_items import forget_items
from ops.local.embedded_server.mends.dynamodb_tables import check_tables
from ops.local.embedded_server.mends.dynamodb_transactions import make_transactions_once
from ops.local.embedded_server.mends.ecr_registries import look_into_other_registries
from ops.local.embedded_server.mends.ecs_services import keep_service_settings, keep_services_steady
from ops.local.embedded_server.mends.ecs_task_definitions import fill_in_containers
from ops.local.embedded_server.mends.executions import carry_out_executions
from ops.local.embedded_server.mends.file_systems import keep_file_systems
from ops.local.embedded_server.mends.iam_quotas import count_quotas
from ops.local.embedded_server.mends.last_use import forget_last_use
from ops.local.embedded_server.mends.load_balancers import refuse_what_aws_refuses
from ops.local.embedded_server.mends.lookups import look_up_once
from ops.local.embedded_server.mends.message_moves import move_messages
from ops.local.embedded_server.mends.nat_gateways import disassociate_addresses
from ops.local.embedded_server.mends.network_acl_entries import keep_icmp_types
from ops.local.embedded_server.mends.private_namespaces import delete_zones_of_namespaces
from ops.local.embedded_server.mends.queue_messages import keep_messages_as_sqs
from ops.local.embedded_server.mends.queues import check_queues
from ops.local.embedded_server.mends.rds_instances import make_instances_as_rds_does
from ops.local.embedded_server.mends.rds_parameters import keep_parameters
from ops.local.embedded_server.mends.rds_secrets import make_master_secrets
from ops.local.embedded_server.mends.rds_subnet_groups import keep_modified_subnet_groups
from ops.local.embedded_server.mends.rule_descriptions import keep_rule_descriptions
from ops.local.embedded_server.mends.saved_queries import add_saved_queries
from ops.local.embedded_server.mends.schedules import refuse_schedules
from ops.local.embedded_server.mends.state_machines import check_state_machines
from ops.local.embedded_server.mends.subnet_zones import refuse_zones_of_other_regions
from ops.local.embedded_server.mends.subscriptions import deliver_to_queues
from ops.local.embedded_server.mends.vpc_endpoints import route_added_tables
from ops.local.embedded_server.mends.web_identities import ask_roles_about_tokens


def mend_moto() -> None:
    """Make every mend; to be called before the server answers."""
    act_on_states()
    add_composite_alarms()
    add_saved_queries()
    add_tag_actions()
    carry_out_executions()
    check_queues()
    check_state_machines()
    check_tables()
    count_quotas()
    ask_roles_about_tokens()
    delete_zones_of_namespaces()
    deliver_to_queues()
    disassociate_addresses()
    fill_in_containers()
    forget_items()
    forget_last_use()
    keep_cache_groups()
    keep_cache_users()
    keep_caches()
    keep_file_systems()
    keep_icmp_types()
    keep_messages_as_sqs()
    keep_modified_subnet_groups()
    keep_parameters()
    keep_rule_descriptions()
    keep_service_settings()
    keep_services_steady()
    keep_suspended_versions()
    leave_out_conditions()
    look_into_other_registries()
    look_up_access_keys_fast()
    make_instances_as_rds_does()
    make_master_secrets()
    make_transactions_once()
    move_messages()
    notify_as_s3()
    refuse_lifecycles()
    refuse_schedules()
    refuse_statements_without_actions()
    refuse_what_aws_refuses()
    refuse_zones_of_other_regions()
    route_added_tables()
    tell_account_limits()
    look_up_once()
