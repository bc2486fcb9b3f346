"""Where moto forgets or misreads what Terraform or the app needs: a module for each service, named as moto's.

A service whose mends do not fit into one module has several, which begin with its name; `core` is about all
services. The service of `chatbot`, which moto lacks as a whole, stands before moto instead.
"""

from pathlib import Path

from ops.local.embedded_server.mends import (
    applicationautoscaling,
    cloudwatch,
    core,
    dynamodb,
    ec2,
    ecr,
    ecs,
    efs,
    elasticache_caches,
    elasticache_groups,
    elasticache_users,
    elbv2,
    iam,
    logs,
    rds_addresses,
    rds_groups,
    rds_instances,
    rds_secrets,
    s3_buckets,
    s3_notifications,
    scheduler,
    servicediscovery,
    servicequotas,
    sns,
    sqs_messages,
    sqs_moves,
    sqs_queues,
    stepfunctions_definitions,
    stepfunctions_executions,
    sts,
)


def mend_moto(directory: Path) -> None:
    """Makes every mend; to be called before the server answers.

    `directory` has the ports of databases, which outlive the process.
    """
    for service in (
        applicationautoscaling,
        cloudwatch,
        dynamodb,
        ec2,
        ecr,
        ecs,
        efs,
        elasticache_caches,
        elasticache_groups,
        elasticache_users,
        elbv2,
        iam,
        logs,
        rds_groups,
        rds_instances,
        rds_secrets,
        s3_buckets,
        s3_notifications,
        scheduler,
        servicediscovery,
        servicequotas,
        sns,
        sqs_messages,
        sqs_moves,
        sqs_queues,
        stepfunctions_definitions,
        stepfunctions_executions,
        sts,
    ):
        service.mend()
    rds_addresses.mend(directory)
    core.mend()
