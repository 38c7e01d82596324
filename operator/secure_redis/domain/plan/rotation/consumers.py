"""Who may still hold a key. Unknown counts as holding it. Pure."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.observe.workloads import PodFacts
from secure_redis.domain.plan.rollout import waves as rollouts
from secure_redis.domain.plan.rollout.disruption_budgets import minutes_late
from secure_redis.domain.plan.secret import published_version

_LISTED: Final = 3


@dataclass(frozen=True, slots=True)
class ConsumersBehind:
    """Why some known consumer may hold another key than the current one. `pods`: those that are not listed."""

    why: Explanation
    pods: tuple[PodFacts, ...] = ()


def held(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, rollout: rollouts.Rollout | None
) -> ConsumersBehind | None:
    """None: every pod that uses the Secret is known, and known to have started with the current key."""
    vault, told = observed.vault, resource.status.credential
    version = published_version(resource, observed, assessed)
    refused = assessed.credential.refused
    if assessed.credential.data is None and refused is not None:
        return ConsumersBehind(Explanation(refused.reason, refused.message))
    if assessed.credential.data is None or not isinstance(vault, VaultSecretFacts) or version != vault.version:
        return ConsumersBehind(Explanation(Reason.ROLLING_OUT, "the Secret does not hold yet what Key Vault holds"))
    if told is None or told.key_vault_version != version:
        return ConsumersBehind(Explanation(Reason.ROLLING_OUT, "the Secret was written just now"))
    if rollout is not None and rollout.unread is not None:
        return ConsumersBehind(rollout.unread)
    if rollout is not None and not rollout.moved:
        return ConsumersBehind(_first_behind(rollout))
    if isinstance(observed.holders, NotRead):
        return ConsumersBehind(Explanation(Reason.ROLLING_OUT, "the pods that use the Secret are read next"))
    if isinstance(observed.holders, Unknown):
        text = f"it is not known who holds which key: {observed.holders.message}"
        return ConsumersBehind(Explanation(observed.holders.reason, text))
    behind = rollouts.behind(resource, observed.holders, version, observed.now)
    late = minutes_late(resource, version, observed.now) is not None
    return ConsumersBehind(_unlisted(behind, late), behind) if behind else None


def publishes(observed: Observation, key: SecretStr) -> bool:
    """Whether the Secret holds this very key, or may: the last line of defence, whatever else was concluded."""
    if not isinstance(observed.secret, SecretFacts):
        return True
    password = observed.secret.data.get("password")
    return password is None or password.get_secret_value() == key.get_secret_value().encode()


def _first_behind(rollout: rollouts.Rollout) -> Explanation:
    # A target that is not there, or does not consent, is told of too, and holds nothing.
    first = next((one for one in rollout.statuses if one.reason is not None and (one.injected or one.stale_pods)), None)
    if first is None:
        return Explanation(Reason.HOLDERS_BEHIND, "workloads are still to be moved to the current key")
    reason, text = rollouts.reason_of(first), rollouts.told(first)
    if has(reason, Trait.ROLLOUT_STUCK):
        text = f"{text}; both keys work: repair or roll back the workload, the rotation then goes on"
    return Explanation(reason, text)


def _unlisted(behind: tuple[PodFacts, ...], is_late: bool) -> Explanation:
    names = ", ".join(pod.name for pod in behind[:_LISTED])
    more = f" and {len(behind) - _LISTED} more" if len(behind) > _LISTED else ""
    late = " (the deadline for it is over)" if is_late else ""
    return Explanation(
        Reason.HOLDERS_BEHIND,
        "pods that use the Secret without being listed started before the current key was published: "
        f"{names}{more}{late}; restart them, or list their workload in spec.workloads",
    )
