"""Resource types that hold data, and what it is that is lost with them.

Source: AWS's documentation of each service's delete call, and of what becomes of the content.
"""

from typing import Final

_TABLE = "the items of the table"
_DATABASE = "the database's content"
_OBJECTS = "the objects in the bucket"
_FILES = "the files on it"
_MESSAGES = "the messages in it"
_SEARCH = "the indexed documents"
_BACKUPS = "the backups in it"
_CACHE = "what is in the cache"

HOLDERS: Final = {
    "aws_backup_vault": _BACKUPS,
    "aws_cloudwatch_log_group": "the logs in it",
    "aws_codecommit_repository": "the source code in it",
    "aws_cognito_user_pool": "the users and their passwords",
    "aws_db_cluster_snapshot": _BACKUPS,
    "aws_db_instance": _DATABASE,
    "aws_db_snapshot": _BACKUPS,
    "aws_docdb_cluster": _DATABASE,
    "aws_dynamodb_global_table": _TABLE,
    "aws_dynamodb_table": _TABLE,
    "aws_dynamodb_table_item": "the item",
    "aws_dynamodb_table_replica": "the items of the replica",
    "aws_ebs_snapshot": _BACKUPS,
    "aws_ebs_volume": _FILES,
    "aws_ecr_repository": "the images in it",
    "aws_ecrpublic_repository": "the images in it",
    "aws_efs_file_system": _FILES,
    "aws_elasticache_cluster": _CACHE,
    "aws_elasticache_replication_group": _CACHE,
    "aws_elasticache_serverless_cache": _CACHE,
    "aws_elasticsearch_domain": _SEARCH,
    "aws_fsx_lustre_file_system": _FILES,
    "aws_fsx_ontap_file_system": _FILES,
    "aws_fsx_ontap_volume": _FILES,
    "aws_fsx_openzfs_file_system": _FILES,
    "aws_fsx_openzfs_volume": _FILES,
    "aws_fsx_windows_file_system": _FILES,
    "aws_glacier_vault": "the archives in it",
    "aws_glue_catalog_database": "the tables it describes",
    "aws_instance": "what is on its own disks",
    "aws_keyspaces_keyspace": _TABLE,
    "aws_keyspaces_table": _TABLE,
    "aws_kinesis_stream": "the records in it",
    "aws_kms_external_key": "the key, and with it all that is encrypted with it",
    "aws_kms_key": "the key, and with it all that is encrypted with it",
    "aws_lightsail_database": _DATABASE,
    "aws_memorydb_cluster": _DATABASE,
    "aws_mq_broker": _MESSAGES,
    "aws_msk_cluster": "the records in it",
    "aws_msk_serverless_cluster": "the records in it",
    "aws_neptune_cluster": _DATABASE,
    "aws_opensearch_domain": _SEARCH,
    "aws_opensearchserverless_collection": _SEARCH,
    "aws_prometheus_workspace": "the metrics in it",
    "aws_qldb_ledger": _DATABASE,
    "aws_rds_cluster": _DATABASE,
    "aws_rds_global_cluster": _DATABASE,
    "aws_redshift_cluster": _DATABASE,
    "aws_redshiftserverless_namespace": _DATABASE,
    "aws_route53_zone": "the records and name servers of the domain",
    "aws_s3_bucket": _OBJECTS,
    "aws_s3_directory_bucket": _OBJECTS,
    "aws_secretsmanager_secret": "the secret and its former versions",
    "aws_secretsmanager_secret_version": "the secret's value",
    "aws_simpledb_domain": _TABLE,
    "aws_sns_topic": "its subscriptions",
    "aws_sqs_queue": _MESSAGES,
    "aws_ssm_parameter": "the parameter and its former values",
    "aws_timestreamwrite_database": _TABLE,
    "aws_timestreamwrite_table": _TABLE,
}
"""Type to what is lost."""
