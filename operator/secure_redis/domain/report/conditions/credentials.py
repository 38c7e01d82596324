"""The condition CredentialsSynced."""

from dataclasses import dataclass
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.connection_secret import differs
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import ApplySecret, CreateSecret
from secure_redis.domain.plan.outcomes import Failed, Outcome
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
    first_state,
)
from secure_redis.domain.report.conditions.readiness import is_paused


@dataclass(frozen=True, slots=True)
class CredentialsInput:
    """Holds what the checks of CredentialsSynced need. `available`: the condition CacheAvailable."""

    resource: SecureRedisCache
    observed: Observation
    assessed: Assessment
    plan: Plan
    outcomes: tuple[Outcome, ...]
    available: ConditionState


def credentials_synced(given: CredentialsInput) -> ConditionState | None:
    """Find the condition CredentialsSynced; None where the resource has no `authentication`."""
    if given.resource.spec.authentication is None:
        return None
    proven = given.assessed.credential.data is not None
    return first_state(KEY_IS_PROVEN if proven else KEY_IS_NOT_PROVEN, given)


def writing_the_secret_failed(given: CredentialsInput) -> ConditionState | None:
    """A write of the Secret that failed explains everything else."""
    for outcome in given.outcomes:
        if isinstance(outcome, Failed) and isinstance(outcome.action, CreateSecret | ApplySecret):
            return ConditionState(FALSE, outcome.reason, outcome.message)
    return None


# --- a key is proven --------------------------------------------------------------------------------------------------


def publishing_is_blocked(given: CredentialsInput) -> ConditionState | None:
    """The Secret of that name may not be written."""
    blocked = next((one for one in given.plan.blocked if has(one.reason, Trait.ABOUT_SECRET)), None)
    return None if blocked is None else ConditionState(FALSE, blocked.reason, blocked.message)


def secret_is_being_deleted(given: CredentialsInput) -> ConditionState | None:
    """Publishing waits until a Secret of that name is gone."""
    waiting = given.plan.waiting
    if waiting is None or waiting.reason is not Reason.SECRET_DELETING:
        return None
    return ConditionState(FALSE, waiting.reason, waiting.message)


def secret_could_not_be_read(given: CredentialsInput) -> ConditionState | None:
    """It is not known what the Secret holds."""
    secret = given.observed.secret
    return ConditionState(UNKNOWN, secret.reason, secret.message) if isinstance(secret, Unknown) else None


def namespace_is_terminating(given: CredentialsInput) -> ConditionState | None:
    """Nothing is published into a namespace that is being deleted."""
    if not given.observed.namespace_terminating:
        return None
    return ConditionState(FALSE, Reason.NAMESPACE_TERMINATING, "the namespace is being deleted")


def secret_is_outdated_while_paused(given: CredentialsInput) -> ConditionState | None:
    """A pause keeps the Secret from being brought up to date."""
    required, secret = given.assessed.credential.data, given.observed.secret
    own = secret if isinstance(secret, SecretFacts) and secret.owner_uid == given.resource.uid else None
    if not is_paused(given.plan) or required is None or (own is not None and not differs(own, required)):
        return None
    return ConditionState(FALSE, Reason.PAUSED, "the Secret is not as it should be, and writes are paused")


def secret_holds_a_live_key(given: CredentialsInput) -> ConditionState | None:
    """The Secret is published, or is written in this pass."""
    return ConditionState(TRUE, Reason.PUBLISHED, f"Secret {given.resource.secret_name!r} holds a live key")


# --- no key is proven -------------------------------------------------------------------------------------------------


def key_vault_could_not_be_read(given: CredentialsInput) -> ConditionState | None:
    """An outage does not show whether the key is good."""
    refused = given.assessed.credential.refused
    if not isinstance(refused, Unknown) or refused.permanent:
        return None
    return ConditionState(UNKNOWN, refused.reason, refused.message)


def key_may_not_be_published(given: CredentialsInput) -> ConditionState | None:
    """The key is missing, unusable, unproven or not of this cache."""
    refused = given.assessed.credential.refused
    return None if refused is None else ConditionState(FALSE, refused.reason, refused.message)


def storing_the_key_failed(given: CredentialsInput) -> ConditionState | None:
    """A write failed while the cache's key is to be stored in Key Vault."""
    failed = next((one for one in given.outcomes if isinstance(one, Failed)), None)
    if given.assessed.credential.store is None or failed is None:
        return None
    return ConditionState(FALSE, failed.reason, failed.message)


def storing_the_key_is_not_granted(given: CredentialsInput) -> ConditionState | None:
    """The configuration does not allow the key to be stored in Key Vault."""
    blocked = next((one for one in given.plan.blocked if one.reason is Reason.NOT_GRANTED), None)
    if given.assessed.credential.store is None or blocked is None:
        return None
    return ConditionState(FALSE, blocked.reason, blocked.message)


def storing_the_key_waits(given: CredentialsInput) -> ConditionState | None:
    """The key is stored in Key Vault when what the plan waits for is over."""
    waiting = given.plan.waiting
    if given.assessed.credential.store is None or waiting is None:
        return None
    return ConditionState(FALSE, waiting.reason, waiting.message)


def cache_is_not_available(given: CredentialsInput) -> ConditionState | None:
    """Without a cache there is no key."""
    return None if given.available.status == TRUE else given.available


def key_was_not_read_yet(_: CredentialsInput) -> ConditionState | None:
    """A later pass reads it."""
    return ConditionState(UNKNOWN, Reason.PENDING, "the credential was not read yet")


KEY_IS_PROVEN: Final = (
    writing_the_secret_failed,
    publishing_is_blocked,
    secret_is_being_deleted,
    secret_could_not_be_read,
    namespace_is_terminating,
    secret_is_outdated_while_paused,
    secret_holds_a_live_key,
)
KEY_IS_NOT_PROVEN: Final = (
    writing_the_secret_failed,
    key_vault_could_not_be_read,
    key_may_not_be_published,
    storing_the_key_failed,
    storing_the_key_is_not_granted,
    storing_the_key_waits,
    cache_is_not_available,
    key_was_not_read_yet,
)
