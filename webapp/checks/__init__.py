"""The checks; the rest of the app derives from `CHECKS`.

To add one, write it, in a file of its own unless one call describes a store (`stores`), and add it to
`CHECKS`. Its grants and clients follow from that.
"""

from collections.abc import Mapping
from typing import Final

from webapp.check import Check
from webapp.checks import alarms, image, job, queue, storage, stores, web, worker
from webapp.components import Kind

CHECKS: Final[Mapping[Kind, Check]] = {
    check.kind: check
    for check in (
        *(web.CHECK, worker.CHECK, job.CHECK),
        *(stores.DATABASE, stores.CACHE, queue.CHECK, stores.TOPIC),
        *(stores.BUCKET, stores.TABLE, stores.VOLUME),
        *(storage.CHECK, image.CHECK, alarms.CHECK),
    )
}
"""The check of each kind; the grants of the task role are in this order."""
