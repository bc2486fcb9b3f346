"""The checks, one file each; the rest of the app derives from `CHECKS`.

To add one, write its file and add it to `CHECKS`. Its grants and clients follow from that.
"""

from collections.abc import Mapping
from typing import Final

from webapp.check import Check
from webapp.checks import alarms, image, storage, tasks
from webapp.components import Kind

CHECKS: Final[Mapping[Kind, Check]] = {
    check.kind: check for check in (storage.CHECK, image.CHECK, alarms.CHECK, tasks.WEB, tasks.WORKER)
}
"""The check of each kind that has one."""
