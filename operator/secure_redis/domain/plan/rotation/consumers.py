"""Find the consumers that may still hold a key. An unknown consumer counts as holding it. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.observe.workloads import PodFacts
from secure_redis.domain.plan.rollout import waves as rollouts
from secure_redis.domain.plan.rollout.disruption_budgets import minutes_late
from secure_redis.domain.plan.rollout.pod_keys import CONTAINER_START, Holding
from secure_redis.domain.plan.secret import published_version

_LISTED: Final = 3


@dataclass(frozen=True, slots=True)
class ConsumersBehind:
    """The reason why a known consumer may hold another key than the current one. `pods`: the unlisted ones."""

    why: Explanation
    pods: tuple[PodFacts, ...] = ()


def consumers_behind(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    rollout: rollouts.Rollout | None,
    container_start: timedelta = CONTAINER_START,
) -> ConsumersBehind | None:
    """Find what the rotation waits for; None: no pod that uses the Secret can hold an older key."""
    vault = observed.vault
    version = published_version(resource, observed, assessed)
    refused = assessed.credential.refused
    if assessed.credential.data is None and refused is not None:
        return ConsumersBehind(Explanation(refused.reason, refused.message))
    if assessed.credential.data is None or not isinstance(vault, VaultSecretFacts) or version != vault.version:
        return ConsumersBehind(Explanation(Reason.ROLLING_OUT, "the Secret does not hold yet what Key Vault holds"))
    if rollout is not None and rollout.unread is not None:
        return ConsumersBehind(rollout.unread)
    if rollout is not None and rollout.holding is not None:
        return ConsumersBehind(_first_behind(rollout.holding))
    if isinstance(observed.consumers, NotRead):
        return ConsumersBehind(Explanation(Reason.ROLLING_OUT, "the pods that use the Secret are read next"))
    if isinstance(observed.consumers, Unknown):
        text = f"it is not known who holds which key: {observed.consumers.message}"
        return ConsumersBehind(Explanation(observed.consumers.reason, text))
    behind = rollouts.behind(resource, observed, observed.consumers, version, container_start)
    late = minutes_late(resource, observed, version) is not None
    return ConsumersBehind(_unlisted(behind, late), tuple(one.pod for one in behind)) if behind else None


def secret_may_hold(observed: Observation, key: SecretStr) -> bool:
    """Whether the Secret holds this very key, or may hold it: the last check before a key is regenerated."""
    if not isinstance(observed.secret, SecretFacts):
        return True
    password = observed.secret.data.get("password")
    return password is None or password.get_secret_value() == key.get_secret_value().encode()


def _first_behind(status: WorkloadStatus) -> Explanation:
    if status.reason is None:
        return Explanation(Reason.HOLDERS_BEHIND, "workloads are still to be moved to the current key")
    reason, text = rollouts.reason_of(status), rollouts.sentence(status)
    if has(reason, Trait.ROLLOUT_STUCK):
        text = f"{text}; both keys work: repair or roll back the workload, then the rotation continues"
    return Explanation(reason, text)


# What to do about pods in each of these states.
_REMEDIES: Final = (
    (Holding.OLDER, "restart them, or list their workload in spec.workloads"),
    (Holding.STARTING, "wait"),
    (Holding.ENDING, "wait, or delete them by force if their node is off for good"),
    (Holding.UNREPORTED, "repair the node, or delete them"),
)


def _unlisted(behind: tuple[rollouts.Behind, ...], is_late: bool) -> Explanation:
    late = " (the deadline for it is over)" if is_late else ""
    parts: list[str] = []
    for why, remedy in _REMEDIES:
        names = [one.pod.name for one in behind if one.why is why]
        if names:
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            parts.append(f"{why.value}: {', '.join(names[:_LISTED])}{more}{late}; {remedy}")
    text = "; others ".join(parts)
    return Explanation(Reason.HOLDERS_BEHIND, f"pods that use the Secret without being listed {text}")
