"""Deletion: confirmed by name, recorded, done, then the injections are removed, and last the Secret."""

from typing import Any, Final

from secure_redis.api import names
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.redis import Redis
from tests.builders import passes
from tests.builders.forged.claims import of
from tests.builders.forged.story import Phase, Story, until
from tests.builders.lifecycle import OWNED, Life
from tests.builders.passes import OWNER
from tests.builders.rotation_stage import LISTED
from tests.builders.workloads import workload

SPEC: Final[dict[str, Any]] = {
    "mode": "Provision",
    "provision": passes.PROVISION,
    "deletionPolicy": "Delete",
    "connection": {"deletionPolicy": "Delete"},
}


def _kept(*, unlisted: bool = False) -> Life:
    """A resource at rest whose cache and Secret go with it. `unlisted`: a pod of no workload uses the Secret."""
    made = Life(
        spec=SPEC,
        cache=passes.cache(tags=OWNER),
        annotations={names.REFRESH: "first"},
        workloads={name: workload(name, replicas=2) for name in LISTED},
    )
    for name in made.workloads:
        made.start(name)
        made.start(name)
    until(made, lambda there: all(pod.key for pod in there.pods) and there.condition("Ready") == "Ready")
    if unlisted:
        made.start()
    for _ in range(3):
        made.next_pass()
    return made


def _unconfirmed() -> Life:
    made = _kept()
    made.deleting = True
    return made


def _unowned() -> Life:
    made = _confirmed()
    made.change_cache(tags={})
    return made


def _confirmed(*, unlisted: bool = False) -> Life:
    made = _kept(unlisted=unlisted)
    _delete(made)
    return made


def _recorded() -> Life:
    return until(_confirmed(), lambda made: "pending" in made.status)


def _deleting() -> Life:
    return until(_confirmed(), lambda made: "DeleteCache" in made.acts)


def _absent() -> Life:
    return until(_confirmed(), lambda made: isinstance(made.cache, CacheAbsent))


def _releasing() -> Life:
    return until(_confirmed(), lambda made: any(one.startswith("ReleaseWorkload") for one in made.acts))


def _used() -> Life:
    return until(_confirmed(unlisted=True), lambda made: made.condition("Ready") == "SecretInUse")


def _delete(made: Life) -> None:
    made.deleting = True
    _confirm(made)


def _confirm(made: Life) -> None:
    made.annotate(names.CONFIRM_DELETE, "orders")


def _tag(made: Life) -> None:
    assert isinstance(made.cache, Redis)
    made.change_cache(tags={names.OWNER_TAG: OWNED})


def _end_pod(made: Life) -> None:
    made.pods = [pod for pod in made.pods if pod.of is not None]


def _ended(made: Life) -> bool:
    return made.deleting and not made.finalizer


DELETION: Final = Story(
    section="Deletion",
    phases={
        "Not deleted": Phase(_kept, _ended, waits_for=_delete),
        "Not confirmed": Phase(_unconfirmed, _ended, waits_for=_confirm),
        "Not owned": Phase(_unowned, _ended, waits_for=_tag),
        "Confirmed": Phase(_confirmed, _ended),
        "Recorded": Phase(_recorded, _ended),
        "Deleting": Phase(_deleting, _ended),
        "Absent": Phase(_absent, _ended),
        "Releasing": Phase(_releasing, _ended),
        "In use": Phase(_used, _ended, waits_for=_end_pod),
    },
    forgeries=of("conditions", "binding", "cache", "rotation", "pending", "workloads"),
)
