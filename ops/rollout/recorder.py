"""The release record during a deployment: what is recorded, what that replaced, and what to go back to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.core.ecs import Image
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.git import Age, age
from ops.core.progress import Progress
from ops.releases.choice import has_failed, previous, restored
from ops.releases.records import FAILED, IN_SERVICE, RECORDED, Recorded, Releases
from ops.rollout.deployed import Deployed
from ops.rollout.smoke import short
from ops.rollout.watch import Say

_LONGEST_WHY: Final = 200


@dataclass(frozen=True, slots=True)
class Release:
    """A release that is being deployed: its image, the version of its record, and the services that run it.

    Several services may run it, or none, if only jobs do.
    """

    name: str
    version: int
    image: Image
    services: tuple[Deployed, ...]

    @property
    def before(self) -> Image | None:
        """Returns what its services ran before; None if they did not exist."""
        return next((found for each in self.services if (found := each.ran(self.name))), None)

    @property
    def completed(self) -> bool:
        """Whether ECS says that the deployment of `before` has completed, in all of its services."""
        return all(each.completed for each in self.services if each.ran(self.name))


class Recorder:
    """The records of one environment, `name`, of each of its `images`, with the services that run it.

    `services` are those of ECS; `say` gets what somebody else did meanwhile, or Git does not know.
    """

    def __init__(
        self,
        name: str,
        images: Mapping[str, Sequence[str]],
        services: Sequence[Deployed],
        releases: Releases,
        progress: Progress,
        say: Say,
    ) -> None:
        self._name = name
        self._images = images
        self._all = services
        self._releases = releases
        self._progress = progress
        self._say = say
        self._replaced: dict[str, tuple[Image, Recorded | None]] = {}
        """What `record` has recorded, and what that replaced, by the image's name."""

    def users(self, name: str) -> str:
        """Returns who runs an image, with the verb."""
        users = self._images[name]
        return f"{', '.join(users)} run{'s' if len(users) == 1 else ''}"

    def note_completed(self, name: str) -> None:
        """Records that the current release is in service, if only ECS knows so far.

        That is so after `make bootstrap`, `make apply`, and a deployment that was interrupted.
        """
        latest = self._releases.latest(name)
        if latest is None or latest.release is None or latest.release.state != RECORDED:
            return
        current, services = latest.release.what, self._running(name)
        if services and all(each.completed and each.ran(name) == current for each in services):
            history = self._releases.history(name)
            if not has_failed(history, current):
                self._releases.settle(name, latest.version, IN_SERVICE)

    def current(self, name: str) -> Release:
        """Returns the release that is recorded for an image.

        Raises OpsError if there is none that can be read.
        """
        found = self._releases.latest(name)
        if found is None or found.release is None:
            raise OpsError(
                f"{self._name} has no release of {name} that can be read. Make one: "
                f"`make deploy ENV={self._name} SERVICE={name} IMAGE=<repository>@<digest>`."
            )
        return Release(name, found.version, found.release.what, self._running(name))

    def require_unchanged(self, releases: Iterable[Release]) -> None:
        """Raises OpsError if somebody has recorded others than these meanwhile."""
        if any(self.current(each.name) != each for each in releases):
            raise OpsError("Somebody recorded another release meanwhile. Try again.")

    def rollbacks(self, names: Iterable[str]) -> str:
        """Returns the commands that record the previous releases of images again; empty if there is none."""
        several = len(self._images) > 1
        return ", ".join(
            f"`make rollback ENV={self._name}{f' SERVICE={name}' if several else ''}`"
            for name in names
            if previous(self._releases.history(name))
        )

    def superseded(self, ordered: Mapping[str, Image], directory: Path) -> bool:
        """Whether an ordered commit is older than a recorded one that has not failed; says which.

        It compares with the record, not with ECS, so that a release counts that was interrupted. What
        Git does not know is printed and stops nothing.
        """
        for service, image in ordered.items():
            latest = self._releases.latest(service)
            current = latest.release if latest else None
            if current is None or current.state == FAILED or current.commit == image.commit:
                continue
            new, old = image.commit[:7], current.commit[:7]
            match age(directory, image.commit, current.commit):
                case Age.OLDER:
                    runs = "runs" if current.state == IN_SERVICE else "has the release of"
                    self._say(
                        f"Skipped: {self._name} {runs} {old}, which is newer than {new}. ALLOW_OLDER=1 "
                        "deploys it all the same."
                    )
                    return True
                case Age.DIVERGED:
                    self._say(
                        f"    {service}: neither {new} nor {old}, which it replaces, is built on the other"
                    )
                case Age.UNKNOWN:
                    self._say(
                        f"    {service}: Git does not know here whether {new} is older than {old}, which it "
                        "replaces"
                    )
        return False

    def record(self, ordered: Mapping[str, Image]) -> Iterator[str]:
        """Records releases, and yields the name of each when it is recorded.

        Raises OpsError, and records none, if the registry lacks the image of one.
        """
        for image in ordered.values():
            self._releases.kept_tags(image.image)
        for name, image in ordered.items():
            before = self._releases.latest(name)
            with self._progress.phase(f"record {name}") as phase:
                changed = self._releases.record(name, image.image, image.commit)
                if changed:
                    self._replaced[name] = image, before
                phase.result = f"{short(image)}{'' if changed else ', unchanged'}"
            yield name

    def withdraw(self) -> bool:
        """Records again what `record` has replaced, so that no other apply deploys what it recorded.

        Nothing of that was applied, so all that the record said of what it replaced still holds. Returns
        whether it was possible for all.
        """
        withdrawn = set[str]()
        for service, (ordered, before) in self._replaced.items():
            latest, release = self._releases.latest(service), before.release if before else None
            if latest is None or release is None or latest.what != ordered:
                continue
            with self._progress.phase(f"record {service}") as phase:
                why = f"withdraws version {latest.version}, which was not deployed"
                self._releases.record(
                    service,
                    release.image,
                    release.commit,
                    why,
                    latest.version,
                    release.restores,
                    release.undoes,
                )
                if release.state != RECORDED and (again := self._releases.latest(service)):
                    reason = release.why if release.state == FAILED else ""
                    self._releases.settle(service, again.version, release.state, reason)
                phase.result = f"{short(release.what)} again"
            withdrawn.add(service)
        return bool(withdrawn) and withdrawn == self._replaced.keys()

    def settle(self, releases: Iterable[Release]) -> None:
        """Records that releases are in service."""
        for each in releases:
            if not self._releases.settle(each.name, each.version, IN_SERVICE):
                self._say(f"    {each.name}: somebody recorded another release meanwhile")

    def goes_back(self, service: str) -> bool:
        """Whether an undo, or a rollback to a release that was in service, has recorded its release again."""
        name = next(each.released for each in self._all if each.service == service)
        latest = self._releases.latest(name) if name else None
        release = latest.release if latest else None
        if name is None or release is None:
            return False
        was_there = release.restores and restored(self._releases.history(name), release.what)
        return bool(release.undoes or was_there)

    def mark_failed(
        self, releases: tuple[Release, ...], failure: ReleaseFailedError
    ) -> tuple[set[str], Mapping[str, int], Mapping[str, tuple[int, Image]]]:
        """Records what failed.

        Returns the images that a failure is about; the versions that say that their release failed; and
        for each image to undo, the version that failed and the release to go back to.
        """
        before = {each.name: self._previous(each) for each in releases}
        failing = {
            each.name
            for each in releases
            if not failure.service or failure.service in self._images[each.name]
        }
        changed = [
            each
            for each in releases
            if before[each.name] != each.image and (each.name in failing or each.before != each.image)
        ]
        # It is recorded first, so that no later deployment takes it for one that worked.
        failed = {
            each.name: self._releases.settle(
                each.name, each.version, FAILED, f"failed: {failure.reason[:_LONGEST_WHY]}"
            )
            for each in changed
            if each.name in failing
        }
        undone = {
            each.name: (failed.get(each.name) or each.version, restores)
            for each in changed
            if (restores := before[each.name])
        }
        return failing, failed, undone

    def _previous(self, release: Release) -> Image | None:
        """Returns what ran before if it worked, else the last release that did; None for none."""
        before, history = release.before, self._releases.history(release.name)
        if before is None and release.services:
            return None
        # Only the record tells what ran if only jobs run it.
        if not release.services and restored(history, release.image) == (release.version):
            return release.image
        worked = before and (release.completed or restored(history, before))
        if before and worked and not has_failed(history, before):
            return before
        found = previous(history)
        return found[1].what if found else None

    def record_again(self, undone: Mapping[str, tuple[int, Image]], failure: ReleaseFailedError) -> None:
        """Records what `mark_failed` says to go back to."""
        for name, (version, before) in undone.items():
            with self._progress.phase(f"record {name}") as phase:
                why = f"undoes version {version}: {failure.reason[:_LONGEST_WHY]}"
                restores = restored(self._releases.history(name), before)
                self._releases.record(name, before.image, before.commit, why, version, restores, version)
                phase.result = f"{short(before)} again"

    def _running(self, name: str) -> tuple[Deployed, ...]:
        """Returns the services of ECS that run an image."""
        return tuple(each for each in self._all if each.service in self._images[name])
