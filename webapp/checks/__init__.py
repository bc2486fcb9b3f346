"""The checks, one file each; the rest of the app derives from `CHECKS`.

To add one, write its file and add it to `CHECKS`. Its grants and clients follow from that.
"""

from collections.abc import Mapping
from typing import Final

from webapp.check import Check
from webapp.checks import (
    alarms,
    bucket,
    cache,
    database,
    image,
    job,
    queue,
    storage,
    table,
    topic,
    volume,
    web,
    worker,
)
from webapp.components import Kind

CHECKS: Final[Mapping[Kind, Check]] = {
    module.CHECK.kind: module.CHECK
    for module in (
        *(web, worker, job, database, cache, queue, topic, bucket, table, volume),
        *(storage, image, alarms),
    )
}
"""The check of each kind."""
