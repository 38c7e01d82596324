"""Assess an observation: the findings, the drift, the owner and the credential. Pure."""

from dataclasses import dataclass, field

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.domain.assess import connection_secret, key_validity
from secure_redis.domain.assess.connection_secret import ConnectionData
from secure_redis.domain.assess.drift import Drift, bounded, gone, ignoring
from secure_redis.domain.assess.key_proof import PROVIDER_ADDRESS, claimed_slot, prove
from secure_redis.domain.assess.ownership import (
    Ownership,
    leads,
    not_leading,
)
from secure_redis.domain.assess.rules import Compliance
from secure_redis.domain.assess.rules import evaluate as judge
from secure_redis.domain.assess.services import COMPARED, SERVICES
from secure_redis.domain.assess.waivers import WaiverPolicy
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.keys import (
    ListedKeys,
    Proven,
    Slot,
    VaultSecretAbsent,
    VaultSecretFacts,
)
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown


@dataclass(frozen=True, slots=True)
class ToStore:
    """A key that belongs into Key Vault and is not there."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class CredentialVerdict:
    """Either `data` to publish, or why there is none (`refused`). `store`: the key must go to Key Vault first."""

    proven: Proven | None = None
    data: ConnectionData | None = None
    refused: Explanation | Unknown | None = None
    store: ToStore | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one observation was judged to be. None: not judged, because the cache was not read."""

    compliance: Compliance | None = None
    drift: tuple[Drift, ...] | None = None
    ownership: Ownership | None = None
    credential: CredentialVerdict = field(default_factory=CredentialVerdict)


_NO_FLOOR = WaiverPolicy()


def assess(
    resource: SecureRedisCache,
    observed: Observation,
    *,
    cluster_uid: str,
    ca: str | None,
    waiver_policy: WaiverPolicy = _NO_FLOOR,
) -> Assessment:
    """Judge one observation. `ca`: PEM that clients need to verify the endpoint, where a public one does not do.

    `waiver_policy`: which waivers and profiles the operator's configuration permits.
    """
    cache = observed.cache
    if isinstance(cache, CacheAbsent):
        return Assessment(drift=gone(resource, cache))
    if not isinstance(cache, Cache):
        return Assessment()
    service = SERVICES[cache.service]
    left, notes = ignoring(service.differences(cache, resource, observed), resource.spec.drift.ignore, COMPARED)
    return Assessment(
        compliance=judge(resource, observed, waiver_policy=waiver_policy, notes=notes),
        drift=bounded(left),
        ownership=service.owner(cache, cluster_uid, resource.uid),
        credential=_credential(resource, observed, cache, cluster_uid, ca),
    )


def _credential(
    resource: SecureRedisCache, observed: Observation, cache: Cache, cluster_uid: str, ca: str | None
) -> CredentialVerdict:
    settings = resource.spec.authentication
    if settings is None or isinstance(observed.vault, NotRead):
        return CredentialVerdict()
    if isinstance(observed.identity, Unknown | NotRead):
        return CredentialVerdict()
    if isinstance(observed.vault, Unknown):
        return CredentialVerdict(refused=observed.vault)
    barred = key_validity.barred(cache)
    if barred is not None:
        return CredentialVerdict(refused=barred)
    writes = settings.key_vault.access is Access.READ_WRITE
    if writes and not leads(cache, cluster_uid, resource):
        return CredentialVerdict(refused=not_leading(cluster_uid, resource))
    if writes:
        stored = _to_store(resource, observed.vault, observed.keys)
        if stored is not None:
            return stored
    if isinstance(observed.vault, VaultSecretAbsent):
        return CredentialVerdict(refused=key_validity.absent(observed.vault))
    unusable = key_validity.usable(observed.vault, observed.now)
    if unusable is not None:
        return CredentialVerdict(refused=unusable)
    verdict = observed.proven or prove(
        resource, observed.identity, observed.vault, observed.keys, observed.authentication
    )
    if not isinstance(verdict, Proven):
        return CredentialVerdict(refused=verdict)
    if observed.vault.value is None:
        return CredentialVerdict(refused=key_validity.usable(observed.vault, observed.now))
    data = connection_secret.build(
        resource, cache, observed.vault.value, vault=observed.vault, slot=verdict.slot, ca=ca
    )
    if isinstance(data, Explanation):
        return CredentialVerdict(proven=verdict, refused=data)
    return CredentialVerdict(proven=verdict, data=data)


def _to_store(
    resource: SecureRedisCache, vault: VaultSecretFacts | VaultSecretAbsent, keys: ListedKeys | Unknown | NotRead
) -> CredentialVerdict | None:
    """A vault secret is written only if it is absent or its current version says it is this cache's."""
    if isinstance(vault, VaultSecretAbsent):
        if vault.deleted:
            return CredentialVerdict(refused=key_validity.absent(vault))
        if not isinstance(keys, ListedKeys):
            return CredentialVerdict(refused=key_validity.keys_needed(keys))
        return CredentialVerdict(store=ToStore(Slot.PRIMARY))
    address = normalise.tag(vault.tags, PROVIDER_ADDRESS)
    if address is None or not normalise.same_id(address, resource.cache.text):
        return CredentialVerdict(refused=key_validity.foreign(vault, resource.cache))
    if not isinstance(keys, ListedKeys) or vault.value is None or not vault.enabled:
        return None
    if key_validity.slot_of(vault.value, keys) is not None:
        return None
    # Ours, and no key of the cache any more: somebody regenerated it.
    return CredentialVerdict(store=ToStore(claimed_slot(vault) or Slot.PRIMARY))
