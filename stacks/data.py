"""`<env>-data`: what holds an environment's data, apart from what a release changes."""

from stacks import kinds, naming, stores
from stacks.bindings import App
from stacks.constructs import (
    bucket,
    cache,
    connections,
    database,
    network_connections,
    platform_stack,
    private_bucket,
    queue,
    store_group,
    table,
    topic,
    volume,
)
from stacks.policies import Statement, of_project, service_linked_roles
from stacks.settings import Environment, Platform, Project


class DataStack(platform_stack.PlatformStack):
    """What an environment stores and passes on, and the status app's table, if it runs the app."""

    def __init__(self, app: App, project: Project, environment: Environment) -> None:
        super().__init__(app, project, kinds.DATA.of_environment(environment))
        protected = environment.protected
        queues = {
            key: queue.Queue(
                self,
                project,
                environment,
                key,
                [
                    *bucket.senders(project, environment, key),
                    *topic.senders(project, environment, key),
                ],
            )
            for key, settings in environment.queues.items()
            if not settings.existing
        }
        for key in environment.topics:
            topic.Topic(self, project, environment, key, queues)
        for key, kept_in in environment.buckets.items():
            if kept_in.existing:
                continue
            bucket.Bucket(self, project, environment, key, queues)
        for key, settings in environment.tables.items():
            name = naming.store_name(project.name, environment.name, key)
            table.Table(self, f"table_{key}", name, settings, protected=protected)
        if any(service.kind == "status" for service in environment.services.values()):
            status = table.status_table(environment)
            name = naming.table_name(project.name, environment)
            kept = table.Table(self, "table", name, status, protected=protected)
            self.output("table", kept.name, "The status app's DynamoDB table")
        stored = {
            stores.stored_key(kind, key, "name"): key
            for kind in stores.KINDS
            for key in stores.of_kind(environment, kind)
        }
        if environment.databases or environment.caches or environment.volumes:
            network = network_connections.NetworkConnections(self, environment)
            for key, its in environment.databases.items():
                stored |= (
                    database.ExistingDatabase(self, project, environment, key)
                    if its.existing
                    else database.Database(self, environment, key, network)
                ).stored
            for key in environment.caches:
                stored |= cache.Cache(self, environment, key, network).stored
            for key in environment.volumes:
                stored |= volume.Volume(self, environment, key, network).stored
        if stored:
            self.output(connections.OUTPUT, stored, "What other stacks use of the stores")


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Gathers what applying data stacks takes beyond reading."""
    project = platform.project
    return (
        *platform_stack.deploy(platform, account_id),
        *of_project(project.name, store_group.DEPLOY),
        service_linked_roles(account_id, (cache.LINKED_ROLE, volume.LINKED_ROLE)),
        *database.deploy(project, account_id),
        *cache.deploy(project, account_id),
        *volume.deploy(project, account_id),
        *queue.deploy(project, account_id),
        *topic.deploy(project, account_id),
        *private_bucket.deploy(project, account_id),
        *table.deploy(project, account_id),
    )
