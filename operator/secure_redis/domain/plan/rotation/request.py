"""Decide whether a rotation is requested, and what forbids or delays it, apart from the pods. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access, Authentication, OtherConsumers
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.key import keys_not_accepted
from secure_redis.domain.assess.ownership import leads, not_leading
from secure_redis.domain.assess.rotation_record import SCHEDULE, Rotated, claimed_slot, digest, unanswered
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import (
    Power,
    VaultTarget,
    granted,
    refuse,
)
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan import windows
from secure_redis.domain.plan.key_storage import NEAR_EXPIRY_DAYS, validity_days
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark, other
from secure_redis.domain.plan.types import Settings


@dataclass(frozen=True, slots=True)
class RotationRequest:
    """A requested rotation. `request`: the value of the annotation; None: by the schedule.

    It comes from the resource's annotation, and never from the status.
    """

    request: str | None

    @property
    def emergency(self) -> bool:
        """Whether a key leaked: both are regenerated, as fast as the rollouts allow."""
        return self.request is not None and self.request.startswith(names.EMERGENCY)

    @property
    def digest(self) -> str:
        """The digest by which marks and records name the request."""
        return digest(self.request)

    @property
    def forced(self) -> bool:
        """Whether no consumer is waited for: an outage is accepted."""
        return self.request is not None and self.request.startswith(names.EMERGENCY_FORCE)


def requested(resource: SecureRedisCache, observed: Observation) -> RotationRequest | None:
    """Return the rotation that is requested now, if there is one."""
    value = unanswered(resource, observed)
    if value is not None:
        return RotationRequest(value)
    when = due(resource, observed)
    return RotationRequest(None) if when is not None and observed.now >= when else None


def backed(resource: SecureRedisCache, mark: RegenerationMark) -> RotationRequest:
    """Return the request of a rotation under way, as far as the annotation still states it.

    One that was withdrawn or replaced goes on as an ordinary rotation: it has no power of an emergency any more.
    """
    if mark.request == SCHEDULE:
        return RotationRequest(None)
    return RotationRequest(resource.rotate if digest(resource.rotate or "") == mark.request else "")


def due(resource: SecureRedisCache, observed: Observation) -> datetime | None:
    """Return when the next rotation is due, counted from the creation of the current version in Key Vault.

    `intervalDays` decides, or the tag ValidityPeriodDays (the time at which Key Vault announces the near expiry),
    whichever is earlier. A jitter moves it forward, so that many resources do not rotate at one moment.
    """
    settings, vault = resource.spec.authentication, observed.vault
    if settings is None or settings.key_vault.access is not Access.READ_WRITE:
        return None
    if not isinstance(vault, VaultSecretFacts) or vault.created is None:
        return None
    validity = validity_days(resource, vault)
    by_tag = None if validity is None else max(validity - NEAR_EXPIRY_DAYS, validity / 2)
    days = [one for one in (settings.rotation.interval_days, by_tag) if one is not None]
    if not days:
        return None
    interval = timedelta(days=min(days))
    return vault.created + interval - windows.jitter(resource.uid, interval)


def blocked_by(
    resource: SecureRedisCache, observed: Observation, settings: Settings, request: RotationRequest
) -> Explanation | None:
    """Explain why a rotation cannot begin, whatever the pods hold."""
    authentication = resource.spec.authentication
    if authentication is None:
        return Explanation(
            Reason.ROTATION_READ_ONLY, "there is no spec.authentication, so there is no key of this resource to rotate"
        )
    if authentication.key_vault.access is not Access.READ_WRITE:
        return Explanation(
            Reason.ROTATION_READ_ONLY,
            "spec.authentication.keyVault.access is Read: the party that stores the key rotates it. For a rotation by "
            "the operator, set it to ReadWrite",
        )
    return (
        not_permitted(resource, observed, settings)
        or _not_forced(resource, observed, settings, request)
        or _not_now(resource, observed, authentication, request)
        or outside_consumers(resource, observed, request)
    )


def not_permitted(resource: SecureRedisCache, observed: Observation, settings: Settings) -> Explanation | None:
    """Explain why this resource may not regenerate a key of the cache. Checked before each regeneration."""
    cache, identity, authentication = observed.cache, observed.identity, resource.spec.authentication
    if authentication is None or not isinstance(cache, Cache):
        return Explanation(Reason.PENDING, "the cache was not read")
    if not isinstance(identity, NamespaceIdentity | OperatorIdentity):
        return Explanation(Reason.NO_IDENTITY, "there is no identity to rotate with")
    if not leads(cache, settings.cluster_uid, resource):
        return not_leading(settings.cluster_uid, resource)
    if cache.geo_linked:
        return Explanation(
            Reason.GEO_REPLICATED,
            f"the cache is linked for geo-replication with {', '.join(cache.geo_linked)}: its keys are not rotated",
        )
    not_accepted = keys_not_accepted(cache)
    if not_accepted is not None:
        return not_accepted
    vault = VaultTarget(authentication.key_vault.uri, authentication.key_vault.secret_name)
    namespace, policy = resource.key.namespace, settings.policy
    for power in (Power.ROTATE, Power.STORE_KEY):
        refused = refuse(policy, identity, namespace, power, cache=resource.cache, vault=vault)
        if refused is not None:
            return refused
    return None


def may_force(resource: SecureRedisCache, observed: Observation, settings: Settings) -> bool:
    """Whether pods may be cut off: there are no other consumers, and the operator's configuration grants it."""
    authentication, identity = resource.spec.authentication, observed.identity
    if authentication is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
        return False
    vault = VaultTarget(authentication.key_vault.uri, authentication.key_vault.secret_name)
    alone = authentication.rotation.other_consumers is OtherConsumers.NONE
    namespace = resource.key.namespace
    return alone and granted(settings.policy, identity, namespace, Power.ROTATE, cache=resource.cache, vault=vault)


def retires(resource: SecureRedisCache, request: RotationRequest) -> bool:
    """Whether the old key is regenerated too as soon as every known pod has moved."""
    settings = resource.spec.authentication
    alone = settings is not None and settings.rotation.other_consumers is OtherConsumers.NONE
    return request.emergency or alone


def _not_forced(
    resource: SecureRedisCache, observed: Observation, settings: Settings, request: RotationRequest
) -> Explanation | None:
    if not request.forced or may_force(resource, observed, settings):
        return None
    return Explanation(
        Reason.FORCE_NOT_ALLOWED,
        f"{names.EMERGENCY_FORCE}… waits for no pod, so it requires authentication.rotation.otherConsumers: None and "
        f"the power {Power.ROTATE} granted in the operator's configuration. To rotate both keys and wait for the "
        f"pods, request {names.EMERGENCY}…",
    )


def _not_now(
    resource: SecureRedisCache, observed: Observation, authentication: Authentication, request: RotationRequest
) -> Explanation | None:
    """Explain why the rotation waits for a window. Windows apply to scheduled rotations, not to requested ones."""
    if request.request is not None:
        return None
    declared, field = authentication.rotation.windows, "spec.authentication.rotation.windows"
    return windows.waits(declared, field, observed.now, "the scheduled rotation is due, and")


def outside_consumers(
    resource: SecureRedisCache, observed: Observation, request: RotationRequest
) -> Explanation | None:
    """Explain why consumers outside the cluster may still hold the key that is not current.

    Such consumers take the key from Key Vault. So the overlap counts from the creation of the current version, and no
    approval is required where a rotation of the operator stored that version. Checked again before the key is
    regenerated: `otherConsumers` may have changed since the rotation began.
    """
    authentication = resource.spec.authentication
    if authentication is None or retires(resource, request):
        return None
    vault = observed.vault
    if not isinstance(vault, VaultSecretFacts):
        return Explanation(Reason.PENDING, "the vault's secret was not read")
    if Rotated.on(vault.tags) is None:
        if resource.requests.get(names.APPROVE_ROTATION) == vault.version:
            return None
        current = claimed_slot(vault.tags)
        unused = f"the {other(current)} key" if current is not None else "the key that Key Vault does not hold"
        return Explanation(
            Reason.APPROVAL_REQUIRED,
            f"the first rotation regenerates {unused}; make sure that no one uses it, then annotate "
            f"{names.APPROVE_ROTATION}: {vault.version}",
        )
    if vault.created is None:
        return Explanation(Reason.PENDING, "it is not known since when Key Vault holds the current key")
    over = vault.created + timedelta(hours=authentication.rotation.minimum_overlap_hours)
    if observed.now >= over:
        return None
    return Explanation(
        Reason.OVERLAP_NOT_OVER,
        f"the other key was current until {rfc3339(vault.created)}; consumers that are not listed have until "
        f"{rfc3339(over)} to move (minimumOverlapHours: {authentication.rotation.minimum_overlap_hours})",
    )
