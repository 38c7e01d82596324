"""The phase RollingOut: the new key is stored, and its consumers move to it. Pure."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.plan.rotation.ending import completed_with_old_key, superseded
from secure_redis.domain.plan.rotation.regeneration_mark import other
from secure_redis.domain.plan.rotation.request import RotationRequest, retires
from secure_redis.domain.plan.rotation.rotation_pass import RotationPass
from secure_redis.domain.plan.secret import published_version
from secure_redis.domain.plan.types import Rotating


def rolling_out(run: RotationPass, state: RotationStatus) -> Rotating:
    """Wait until every known consumer has the new key; then retire the old one, or end."""
    target, proven = Slot(state.target or ""), run.assessed.credential.proven
    if proven is None:
        refused = run.assessed.credential.refused
        why = refused.reason if refused is not None else Reason.PENDING
        text = refused.message if refused is not None else "the key in Key Vault is not proven yet"
        return run.without_action(state, why, text)
    if proven.slot is not target:
        return superseded(run, state, proven.slot)
    request = RotationRequest(state.request)
    behind = run.consumers_behind(request)
    if behind is not None:
        return run.waiting_for(state, behind)
    if published_version(run.resource, run.observed, run.assessed) is None:
        return run.without_action(state, Reason.ROLLING_OUT, "the new key is being published", 0.0)
    if not retires(run.resource, request):
        return completed_with_old_key(run, state)
    state = state.model_copy(
        update={"phase": RotationPhase.RETIRING, "recorded_at": rfc3339(run.observed.now), "holders": None}
    )
    text = f"every known pod holds the {target} key; the {other(target)} key is regenerated next"
    return run.without_action(state, Reason.ROTATING, text, 0.0)
