"""Creation: recorded, requested, completed by its network and its persistence, and never repeated for a lost cache."""

from dataclasses import replace
from typing import Any, Final

from secure_redis.api import names
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.redis import Redis
from tests.builders import passes
from tests.builders.forged.claims import REFRESH, of
from tests.builders.forged.story import Phase, Story, until
from tests.builders.lifecycle import Life
from tests.builders.rotation_stage import Remembered
from tests.builders.storage import spec as persistence

ABSENT: Final = CacheAbsent(confirmed=False, message="no such cache")
SPEC: Final[dict[str, Any]] = {
    "mode": "Provision",
    "provision": {**passes.PROVISION, "identity": {"type": "SystemAssigned"}},
    "network": {
        "publicAccess": "Enabled",
        "firewallRules": [{"name": "office", "startIP": "192.0.2.1", "endIP": "192.0.2.9"}],
    },
    "persistence": persistence(),
}


def _absent() -> Life:
    """A resource for a cache and a vault secret that do not exist. The role of the cache's identity cannot be read."""
    made = Life(spec=SPEC, cache=ABSENT, annotations={names.REFRESH: "first"})
    made.versions.clear()
    return made


def _intended() -> Life:
    return until(_absent(), lambda made: "pending" in made.status)


def _creating() -> Life:
    return until(_absent(), lambda made: "CreateCache" in made.acts)


def _completing() -> Life:
    return until(_absent(), lambda made: "PutFirewallRule office" in made.acts)


def _persisting() -> Life:
    """Only the role is missing, which the author confirms."""
    return until(
        _absent(),
        lambda made: made.secret is not None and made.condition("PersistenceEncrypted") == "StorageRoleMissing",
    )


def _closed() -> Life:
    """As before, and an administrator has closed the cache."""
    made = _persisting()
    made.change_cache(public_network_access="Disabled")
    return made


def _running() -> Life:
    made = _persisting()
    _confirm_role(made)
    return until(made, _ended)


def _gone() -> Life:
    """Another party deleted the cache, and the operator's process has ended since."""
    made = _running()
    made.cache, made.memory = ABSENT, Remembered()
    return until(made, _is_gone)


def _forbidden() -> Life:
    """An Azure Policy forbids the creation."""
    made = _absent()
    made.forbidden = True
    return until(made, lambda there: there.condition("Stalled") == "DeniedByPolicy")


def _confirm_role(made: Life) -> None:
    made.annotate(names.CONFIRM_STORAGE_ROLE, "shopdata")


def _permit(made: Life) -> None:
    """The policy's owner exempts the cache, and the author confirms the role."""
    made.forbidden = False
    _confirm_role(made)
    made.annotate(names.REFRESH, "permitted")


def _open(made: Life) -> bool:
    return isinstance(made.cache, Redis) and made.cache.public_network_access == "Enabled"


def _persists(made: Life) -> bool:
    if not isinstance(made.cache, Redis) or names.CREATION_TAG in made.cache.tags:
        return False
    return made.cache.persistence.on and made.secret is not None and "pending" not in made.status


def _ended(made: Life) -> bool:
    return _persists(made) and _open(made) and bool(made.rules)


def _still_closed(made: Life) -> bool:
    return _persists(made) and not _open(made)


def _is_gone(made: Life) -> bool:
    return made.condition("CacheAvailable") == "CacheGone" and made.secret is not None


def _recreate(made: Life) -> None:
    """The author deletes the resource, which keeps all, and creates it again."""
    made.status, made.memory = {}, replace(made.memory, existed=False)


CREATION: Final = Story(
    section="Creation",
    phases={
        "Absent": Phase(lambda: _confirmed(_absent()), _ended),
        "Intended": Phase(lambda: _confirmed(_intended()), _ended),
        "Creating": Phase(lambda: _confirmed(_creating()), _ended),
        "Completing": Phase(lambda: _confirmed(_completing()), _ended),
        "Persisting": Phase(_persisting, _ended, waits_for=_confirm_role),
        "Closed meanwhile": Phase(_closed, _still_closed, waits_for=_confirm_role),
        "Running": Phase(_running, _ended),
        "Gone": Phase(_gone, _is_gone),
        "Refused": Phase(_forbidden, _ended, waits_for=_permit),
    },
    forgeries=of("observedGeneration", "conditions", "cache", "drift", "corrections", "pending", "lastHandled"),
    apart=frozenset({"UpdateCache identity", "PersistCache"}),
    remedies=(REFRESH, ("until the resource is created again", _recreate)),
)


def _confirmed(made: Life) -> Life:
    _confirm_role(made)
    return made
