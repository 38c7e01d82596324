"""Who may still hold a key. Unknown counts as holding it. Pure."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Refusal
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
class Held:
    """Why some known consumer may hold another key than the current one. `pods`: those that are not listed."""

    why: Refusal
    pods: tuple[PodFacts, ...] = ()


def held(
    resource: SecureRedisCache, seen: Observation, means: Assessment, rollout: rollouts.Rollout | None
) -> Held | None:
    """None: every pod that uses the Secret is known, and known to have started with the current key."""
    vault, told = seen.vault, resource.status.credential
    version = published_version(resource, seen, means)
    refused = means.credential.refused
    if means.credential.data is None and refused is not None:
        return Held(Refusal(refused.reason, refused.message))
    if means.credential.data is None or not isinstance(vault, VaultSecretFacts) or version != vault.version:
        return Held(Refusal(Reason.ROLLING_OUT, "the Secret does not hold yet what Key Vault holds"))
    if told is None or told.key_vault_version != version:
        return Held(Refusal(Reason.ROLLING_OUT, "the Secret was written just now"))
    if rollout is not None and rollout.unread is not None:
        return Held(rollout.unread)
    if rollout is not None and not rollout.moved:
        return Held(_first_behind(rollout))
    if isinstance(seen.holders, NotRead):
        return Held(Refusal(Reason.ROLLING_OUT, "the pods that use the Secret are read next"))
    if isinstance(seen.holders, Unknown):
        text = f"it is not known who holds which key: {seen.holders.message}"
        return Held(Refusal(seen.holders.reason, text))
    behind = rollouts.behind(resource, seen.holders, version, seen.now)
    late = minutes_late(resource, version, seen.now) is not None
    return Held(_unlisted(behind, late), behind) if behind else None


def publishes(seen: Observation, key: SecretStr) -> bool:
    """Whether the Secret holds this very key, or may: the last line of defence, whatever else was concluded."""
    if not isinstance(seen.secret, SecretFacts):
        return True
    password = seen.secret.data.get("password")
    return password is None or password.get_secret_value() == key.get_secret_value().encode()


def _first_behind(rollout: rollouts.Rollout) -> Refusal:
    # A target that is not there, or does not consent, is told of too, and holds nothing.
    first = next((one for one in rollout.statuses if one.reason is not None and (one.injected or one.stale_pods)), None)
    if first is None:
        return Refusal(Reason.HOLDERS_BEHIND, "workloads are still to be moved to the current key")
    reason, text = rollouts.reason_of(first), rollouts.told(first)
    if reason in {Reason.ROLLOUT_FAILED, Reason.ROLLOUT_DEADLINE}:
        text = f"{text}; both keys work: repair or roll back the workload, the rotation then goes on"
    return Refusal(reason, text)


def _unlisted(behind: tuple[PodFacts, ...], is_late: bool) -> Refusal:
    names = ", ".join(pod.name for pod in behind[:_LISTED])
    more = f" and {len(behind) - _LISTED} more" if len(behind) > _LISTED else ""
    late = " (the deadline for it is over)" if is_late else ""
    return Refusal(
        Reason.HOLDERS_BEHIND,
        "pods that use the Secret without being listed started before the current key was published: "
        f"{names}{more}{late}; restart them, or list their workload in spec.workloads",
    )
