"""Assess an observation: the findings, the drift, the owner and the credential. Pure."""

from dataclasses import dataclass, field

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.drift import Drift, bounded, gone, ignoring
from secure_redis.domain.assess.key import CredentialAssessment, assess_credential
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.assess.rules import Compliance, evaluate
from secure_redis.domain.assess.services import COMPARED, SERVICES
from secure_redis.domain.assess.waivers import WaiverPolicy
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.observation import Observation


@dataclass(frozen=True, slots=True)
class Assessment:
    """The assessment of one observation. None: not assessed, because the cache was not read."""

    compliance: Compliance | None = None
    drift: tuple[Drift, ...] | None = None
    ownership: Ownership | None = None
    credential: CredentialAssessment = field(default_factory=CredentialAssessment)


_NO_POLICY = WaiverPolicy()


def assess(
    resource: SecureRedisCache,
    observed: Observation,
    *,
    cluster_uid: str,
    ca: str | None,
    waiver_policy: WaiverPolicy = _NO_POLICY,
) -> Assessment:
    """Assess one observation. `ca`: PEM that clients need to verify the endpoint where public roots do not.

    `waiver_policy`: which waivers and profiles the operator's configuration permits.
    """
    drift, notes = _compare(resource, observed)
    cache = observed.cache
    if not isinstance(cache, Cache):
        return Assessment(drift=drift)
    return Assessment(
        compliance=evaluate(resource, observed, waiver_policy=waiver_policy, notes=notes),
        drift=drift,
        ownership=SERVICES[cache.service].owner(cache, cluster_uid, resource.uid),
        credential=assess_credential(resource, observed, cache, cluster_uid=cluster_uid, ca=ca),
    )


def drift_of(resource: SecureRedisCache, observed: Observation) -> tuple[Drift, ...] | None:
    """List what differs from the spec. None: the cache was not read, or its absence is not certain."""
    drift, _ = _compare(resource, observed)
    return drift


def _compare(resource: SecureRedisCache, observed: Observation) -> tuple[tuple[Drift, ...] | None, tuple[str, ...]]:
    """List what differs from the spec, and note which ignored paths have no effect."""
    cache = observed.cache
    if isinstance(cache, CacheAbsent):
        return gone(resource, cache), ()
    if not isinstance(cache, Cache):
        return None, ()
    found = SERVICES[cache.service].differences(cache, resource, observed)
    left, notes = ignoring(found, resource.spec.drift.ignore, COMPARED)
    return bounded(left), notes
