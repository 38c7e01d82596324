"""The condition CredentialsSynced."""

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.connection_secret import differs
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    ApplySecret,
    CreateSecret,
    Failed,
    Outcome,
)
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)
from secure_redis.domain.report.conditions.readiness import is_paused


def credentials_synced(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    outcomes: tuple[Outcome, ...],
    available: ConditionState,
) -> ConditionState | None:
    """The condition CredentialsSynced; None where the resource has no `authentication`."""
    if resource.spec.authentication is None:
        return None
    wrote = [o for o in outcomes if isinstance(o.action, CreateSecret | ApplySecret)]
    for outcome in wrote:
        if isinstance(outcome, Failed):
            return ConditionState(FALSE, outcome.reason, outcome.message)
    verdict = assessed.credential
    if verdict.data is not None:
        blocked = next((r for r in plan.refused if has(r.reason, Trait.ABOUT_SECRET)), None)
        if blocked is not None:
            return ConditionState(FALSE, blocked.reason, blocked.message)
        if plan.waiting is not None and plan.waiting.reason is Reason.SECRET_DELETING:
            return ConditionState(FALSE, plan.waiting.reason, plan.waiting.message)
        if isinstance(observed.secret, Unknown):
            return ConditionState(UNKNOWN, observed.secret.reason, observed.secret.message)
        if observed.namespace_terminating:
            return ConditionState(FALSE, Reason.NAMESPACE_TERMINATING, "the namespace is being deleted")
        secret = observed.secret
        mine = secret if isinstance(secret, SecretFacts) and secret.owner_uid == resource.uid else None
        if is_paused(plan) and (mine is None or differs(mine, verdict.data)):
            return ConditionState(FALSE, Reason.PAUSED, "the Secret is not as it should be, and writes are paused")
        return ConditionState(TRUE, Reason.PUBLISHED, f"Secret {resource.secret_name!r} holds a live key")
    refused = verdict.refused
    if isinstance(refused, Unknown) and not refused.permanent:
        return ConditionState(UNKNOWN, refused.reason, refused.message)
    if refused is not None:
        return ConditionState(FALSE, refused.reason, refused.message)
    stored = next((r for r in plan.refused if r.reason is Reason.NOT_GRANTED), None) if verdict.store else None
    failed = next((o for o in outcomes if isinstance(o, Failed)), None) if verdict.store else None
    if failed is not None:
        return ConditionState(FALSE, failed.reason, failed.message)
    said = stored or (plan.waiting if verdict.store else None)
    if said is not None:
        return ConditionState(FALSE, said.reason, said.message)
    if available.status == TRUE:
        return ConditionState(UNKNOWN, Reason.PENDING, "the credential was not read yet")
    return available
