"""The phases of a rotation, one file for each. Pure. Each step follows from the observation, never from memory.

    Waiting ─► Intended ─► Regenerating ─► RollingOut ─► (Retiring) ─► Completed

A key is regenerated only while no known consumer uses it. Its intent is recorded in the status first, then marked in
Key Vault (see `regeneration_mark`), so that after a crash it is known whether it was done. From then on the mark names
the rotation, and the status only reports it. The mark is removed at the end. If another party stores another key
meanwhile, its version has no mark: the rotation ends (Superseded). If another party regenerates a key, the operator
notices, because each step compares the listed keys.
"""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationPhase
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.rollout.waves import Rollout
from secure_redis.domain.plan.rotation.regenerating import regenerating, retiring
from secure_redis.domain.plan.rotation.required_reads import is_stored, open_mark, overridden, under_way
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
    state, mark, vault = under_way(resource, observed, settings), open_mark(resource, observed), observed.vault
    if state is None:
        return idle(run)
    if mark is None or not isinstance(observed.cache, Cache) or not isinstance(vault, VaultSecretFacts):
        return run.without_action(state, Reason.PENDING, "waits until the cache and the vault can be read")
    if overridden(resource, observed, settings):
        return idle(run)
    if state.phase == RotationPhase.RETIRING:
        return retiring(run, state, mark, observed.cache, vault)
    if is_stored(mark, vault):
        return rolling_out(run, state, mark, vault)
    return regenerating(run, state, mark, observed.cache, vault)
