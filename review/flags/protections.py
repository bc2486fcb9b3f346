"""Attributes that protect what there is."""

from typing import Final

from review.flags.switches import Switch, by_attribute, none_of, nothing, off, on, one_of, zero

_DELETION = "Deletion protection off"
_UNENCRYPTED = "Encryption off"
_BACKUP = "Backups off"
_LOG = "Logging off"
_ALARM = "Alarms off"
_REST = "What is stored is no longer encrypted, or is written without encryption."
_TRAFFIC = "What goes over the network is no longer encrypted."
_OWN_KEY = "It is no longer encrypted with the key that was chosen for it."
_EASY = "It can newly be deleted, by a later plan too, without anything in the way."
_ALONG = "A deletion newly takes all that is in it along."
_CHANGES = "What is called through the API is no longer written down, or not all of it."

PROTECTIONS: Final = by_attribute(
    Switch("deletion_protection", none_of("true", "active", "enabled"), _DELETION, _EASY),
    Switch("deletion_protection_enabled", off, _DELETION, _EASY),
    Switch("enable_deletion_protection", off, _DELETION, _EASY),
    Switch("delete_protection", off, _DELETION, _EASY),
    Switch("disable_api_termination", off, _DELETION, _EASY),
    Switch("termination_protection", off, _DELETION, _EASY),
    Switch("enable_termination_protection", off, _DELETION, _EASY),
    Switch("deletion_protection_check", off, _DELETION, _EASY),
    Switch("force_destroy", on, "Deletion made easy", _ALONG),
    Switch("skip_destroy", off, "Deletion made easy", _ALONG, frozenset({"aws_cloudwatch_log_group"})),
    Switch("force_delete", on, "Deletion made easy", _ALONG),
    Switch(
        "skip_final_snapshot", on, "Deletion made easy", "A deletion newly leaves no last snapshot behind."
    ),
    Switch(
        "delete_automated_backups",
        on,
        "Deletion made easy",
        "A deletion newly takes the automatic backups along.",
    ),
    Switch("storage_encrypted", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("encrypted", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("at_rest_encryption_enabled", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("transit_encryption_enabled", off, _UNENCRYPTED, _TRAFFIC, when_new=True),
    Switch("encrypt_at_rest.enabled", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("node_to_node_encryption.enabled", off, _UNENCRYPTED, _TRAFFIC, when_new=True),
    Switch("root_block_device.encrypted", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("ebs_block_device.encrypted", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("block_device_mappings.ebs.encrypted", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("sqs_managed_sse_enabled", off, _UNENCRYPTED, _REST, when_new=True),
    Switch("server_side_encryption.enabled", off, _UNENCRYPTED, _OWN_KEY),
    Switch("encryption_type", one_of("NONE"), _UNENCRYPTED, _REST, when_new=True),
    Switch("encryption_info.encryption_in_transit.client_broker", none_of("TLS"), _UNENCRYPTED, _TRAFFIC),
    Switch(
        "volume.efs_volume_configuration.transit_encryption",
        one_of("DISABLED"),
        _UNENCRYPTED,
        _TRAFFIC,
        when_new=True,
    ),
    Switch(
        "enabled",
        off,
        _UNENCRYPTED,
        "New volumes are no longer encrypted of themselves.",
        frozenset({"aws_ebs_encryption_by_default"}),
        when_new=True,
    ),
    Switch("encryption_configuration.kms_key", nothing, "Encryption key removed", _OWN_KEY),
    Switch("kms_key_id", nothing, "Encryption key removed", _OWN_KEY),
    Switch("kms_key_arn", nothing, "Encryption key removed", _OWN_KEY),
    Switch("kms_master_key_id", nothing, "Encryption key removed", _OWN_KEY),
    Switch("kms_key", nothing, "Encryption key removed", _OWN_KEY),
    Switch(
        "rule.apply_server_side_encryption_by_default.kms_master_key_id",
        nothing,
        "Encryption key removed",
        _OWN_KEY,
        frozenset({"aws_s3_bucket_server_side_encryption_configuration"}),
    ),
    Switch("enable_key_rotation", off, "Key rotation off", "The key is no longer renewed of itself."),
    Switch(
        "is_enabled",
        off,
        "Key disabled",
        "Nothing encrypted with the key can be read while it is disabled.",
        frozenset({"aws_kms_key", "aws_kms_replica_key", "aws_kms_external_key"}),
    ),
    Switch("backup_retention_period", zero, _BACKUP, "There are no automatic backups any longer."),
    Switch("snapshot_retention_limit", zero, _BACKUP, "There are no automatic backups any longer."),
    Switch(
        "automated_snapshot_retention_period", zero, _BACKUP, "There are no automatic backups any longer."
    ),
    Switch("automatic_backup_retention_days", zero, _BACKUP, "There are no automatic backups any longer."),
    Switch(
        "point_in_time_recovery.enabled", off, _BACKUP, "It can no longer be restored as it was at some time."
    ),
    Switch("backup_policy.status", none_of("ENABLED"), _BACKUP, "There are no automatic backups any longer."),
    Switch(
        "versioning_configuration.status",
        none_of("Enabled"),
        "Versioning off",
        "What is overwritten or deleted can no longer be brought back.",
    ),
    Switch(
        "versioning.enabled",
        off,
        "Versioning off",
        "What is overwritten or deleted can no longer be brought back.",
    ),
    Switch(
        "multi_az", off, "Spare copy off", "There is no copy in another zone any longer that could take over."
    ),
    Switch(
        "automatic_failover_enabled",
        off,
        "Spare copy off",
        "No other node takes over any longer when one fails.",
    ),
    Switch("access_logs.enabled", off, _LOG, "Requests are no longer written down."),
    Switch("connection_logs.enabled", off, _LOG, "Connections are no longer written down."),
    Switch("access_log_settings.destination_arn", nothing, _LOG, "Requests are no longer written down."),
    Switch("logging_config.bucket", nothing, _LOG, "Requests are no longer written down."),
    Switch("enabled_cloudwatch_logs_exports", nothing, _LOG, "The database's logs are no longer kept."),
    Switch("enabled_cluster_log_types", nothing, _LOG, "The cluster's logs are no longer kept."),
    Switch("log_publishing_options", nothing, _LOG, "The search domain's logs are no longer kept."),
    Switch(
        "logging_configuration.level", one_of("OFF"), _LOG, "What was executed is no longer written down."
    ),
    Switch(
        "configuration.execute_command_configuration.logging",
        one_of("NONE"),
        _LOG,
        "What is done in a shell inside of a container is no longer written down.",
    ),
    Switch("enable_logging", off, _LOG, _CHANGES, frozenset({"aws_cloudtrail"}), when_new=True),
    Switch("is_multi_region_trail", off, _LOG, _CHANGES, frozenset({"aws_cloudtrail"})),
    Switch("include_global_service_events", off, _LOG, _CHANGES, frozenset({"aws_cloudtrail"})),
    Switch(
        "enable_log_file_validation",
        off,
        "Log check off",
        "Nobody can tell any longer if the log was changed.",
    ),
    Switch("traffic_type", none_of("ALL"), _LOG, "Part of the traffic is no longer written down."),
    Switch(
        "is_enabled",
        off,
        _LOG,
        "Changes of the configuration are no longer recorded.",
        frozenset({"aws_config_configuration_recorder_status"}),
    ),
    Switch(
        "enable",
        off,
        "Detection off",
        "Attacks are no longer looked for.",
        frozenset({"aws_guardduty_detector"}),
    ),
    Switch(
        "actions_enabled",
        off,
        _ALARM,
        "The alarm no longer tells anybody.",
        frozenset({"aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"}),
    ),
    Switch("alarm_actions", nothing, _ALARM, "The alarm no longer tells anybody.", unless_unknown=True),
    Switch(
        "web_acl_id", nothing, "Firewall off", "Requests no longer go through the web application firewall."
    ),
    Switch(
        "image_tag_mutability",
        one_of("MUTABLE"),
        "Tags can be moved",
        "What is behind an image's tag can newly be replaced.",
        frozenset({"aws_ecr_repository"}),
    ),
    Switch(
        "image_scanning_configuration.scan_on_push",
        off,
        "Image scan off",
        "Images are no longer scanned for known holes when they are pushed.",
    ),
    Switch(
        "object_lock_enabled",
        none_of("true", "enabled"),
        "Object lock off",
        "Objects can newly be deleted before their time.",
    ),
    Switch(
        "rule.default_retention.mode",
        none_of("COMPLIANCE"),
        "Object lock off",
        "Objects can newly be deleted before their time.",
    ),
)
"""What is turned off or weakened."""
