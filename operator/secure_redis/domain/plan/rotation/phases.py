"""The phases of a rotation, one file for each. Pure. Each step is proven from the world and never remembered.

    Waiting ─► Intended ─► Regenerating ─► RollingOut ─► (Retiring) ─► Completed

A key is regenerated only while no known consumer uses it. Its intent is recorded in the status first, then marked in
Key Vault (see `regeneration_mark`), so that after a crash it is known whether it was done. If another party stores
another key meanwhile, the rotation ends (Superseded). If another party regenerates a key, the operator notices,
because each step compares the listed keys.
"""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.rollout.waves import Rollout
from secure_redis.domain.plan.rotation.regenerating import regenerating
from secure_redis.domain.plan.rotation.request import RotationRequest, may_force
from secure_redis.domain.plan.rotation.required_reads import under_way
from secure_redis.domain.plan.rotation.rolling_out import rolling_out
from secure_redis.domain.plan.rotation.rotation_pass import RotationPass
from secure_redis.domain.plan.rotation.waiting import idle
from secure_redis.domain.plan.types import Rotating, Settings


def rotate(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    settings: Settings,
    rollout: Rollout | None,
) -> Rotating:
    """Decide one pass. Nothing here delays what else is published or rolled out."""
    run = RotationPass(resource, observed, assessed, settings, rollout)
    state = under_way(resource)
    if state is None or _overridden(run, state):
        return idle(run)
    if not isinstance(observed.cache, Cache) or not isinstance(observed.vault, VaultSecretFacts):
        return run.without_action(state, Reason.PENDING, "waits until the cache and the vault can be read")
    if state.phase == RotationPhase.ROLLING_OUT:
        return rolling_out(run, state)
    return regenerating(run, state, observed.cache, observed.vault)


def _overridden(run: RotationPass, state: RotationStatus) -> bool:
    """Whether a permitted request no longer waits for the pods: the rotation then begins again at once."""
    request = RotationRequest(run.resource.rotation_requested)
    waits = state.phase != RotationPhase.REGENERATING and request.request != state.request
    return waits and request.forced and may_force(run.resource, run.observed, run.settings)
