"""Questions about one workload: does an entry claim it, was it injected, does its rollout go on by itself? Pure."""

from datetime import datetime, timedelta
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Restart, Rotation, Workload
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.workload_match import carries, consents, current, matches
from secure_redis.domain.observe.workloads import WorkloadFacts
from secure_redis.domain.plan.rollout.pod_keys import CONTAINER_START, Publication

REPLACED_LIMIT: Final = 3  # how often an injection may vanish as a whole before the operator stops restoring it
Target = tuple[str, str]  # kind and name


def rotation(resource: SecureRedisCache) -> Rotation:
    """Return the settings by which new keys are rolled out."""
    settings = resource.spec.authentication
    return settings.rotation if settings is not None else Rotation()


def entry_of(resource: SecureRedisCache, facts: WorkloadFacts) -> Workload | None:
    """Find the first entry that selects the workload."""
    entries = () if resource.deleting else resource.spec.workloads
    return next((entry for entry in entries if matches(entry, facts)), None)


def follows(resource: SecureRedisCache, facts: WorkloadFacts) -> bool:
    """Whether a rollout covers the workload's pods: it is injected, and an entry or its release still covers it.

    The pods of other workloads (refused, being deleted, or with a copy of the injection that is now their own) count
    as unlisted if they use the Secret.
    """
    if facts.deleting:
        return False
    claimed = entry_of(resource, facts) is not None and consents(resource, facts) and carries(resource, facts)
    return facts.owned.anything or claimed


def before_of(resource: SecureRedisCache, facts: WorkloadFacts) -> WorkloadStatus | None:
    """Find the workload's earlier status. The status of an entry that does not own the workload has no uid."""
    reported = (one for one in resource.status.workloads if one.uid is not None)
    return next((one for one in reported if (one.kind, one.name) == (facts.kind, facts.name)), None)


def dropped(resource: SecureRedisCache, facts: WorkloadFacts, before: WorkloadStatus | None) -> int | None:
    """Count how often the whole injection vanished from this object while the spec and the requests stayed the same."""
    changed = resource.status.observed_generation != resource.generation or resource.refresh_requested
    if before is None or before.uid != facts.uid or changed:
        return None
    vanished = before.injected and not carries(resource, facts)
    return (before.dropped or 0) + 1 if vanished else before.dropped


def given_up(facts: WorkloadFacts, times: int | None) -> bool:
    """Whether an injection that vanished so often is not restored."""
    return times is not None and times >= REPLACED_LIMIT and not facts.owned.anything


def replaces(facts: WorkloadFacts) -> bool:
    """Whether a changed template replaces running pods by itself."""
    return no_replacement(facts) is None and facts.replicas > 0


def ends_serving_pods(facts: WorkloadFacts) -> bool:
    """Whether a rollout may end serving pods before others serve: this is what a budget bounds."""
    return facts.available != 0 and not facts.surges


def leaving(before: WorkloadStatus | None) -> bool:
    """Whether pods may still use the Secret after the injection has left the template."""
    if before is None:
        return False
    return before.injected or has(before.reason, Trait.ROLLOUT_UNFINISHED)


def settled(
    resource: SecureRedisCache,
    entry: Workload,
    facts: WorkloadFacts,
    before: WorkloadStatus | None,
    version: str | None,
) -> bool:
    """Whether all pods are known to hold this version; from then on every new pod does, whoever rolls it out."""
    if before is None or not before.injected or before.reason is not None or before.uid != facts.uid:
        return False
    if entry.restart is Restart.ROLLING:
        return version is None or current(resource, facts, version)
    known = resource.status.credential
    return version is None or (known is not None and known.key_vault_version == version)


def no_replacement(facts: WorkloadFacts) -> Explanation | None:
    """Explain why a changed template does not replace the workload's pods by itself; None if it does."""
    if facts.paused:
        return Explanation(Reason.TARGET_PAUSED, "it is paused: its pods are replaced when it is resumed")
    if facts.kind == "CronJob":
        return Explanation(
            Reason.ROLLING_OUT, "jobs that run keep what they started with; later ones hold the current key"
        )
    if facts.update_strategy == "OnDelete":
        return Explanation(
            Reason.TARGET_ON_DELETE, "its updateStrategy is OnDelete: its pods are replaced when they are deleted"
        )
    if facts.partition > 0:
        return Explanation(
            Reason.TARGET_PAUSED,
            f"its partition {facts.partition} excludes the pods below that number: lower it",
        )
    return None


def publication(
    resource: SecureRedisCache, version: str | None, container_start: timedelta = CONTAINER_START
) -> Publication:
    """Return what is published. The time is only known for the version that the status reports."""
    known = resource.status.credential
    at = None
    if known is not None and version is not None and known.key_vault_version == version and known.published_at:
        at = when(known.published_at)
    return Publication(version, at, container_start)


def when(text: str) -> datetime | None:
    """Read a time of the status (RFC 3339); None if it is not one."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
