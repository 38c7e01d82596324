"""Reads what governs a cache (locks, diagnostics, roles, …), seldom and spread: no resource waits for it to be Ready.

One identity's read of one cache serves every resource of the two. That includes a refusal: a missing permission costs
one request per age and not one per pass.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from zlib import crc32

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.sharing import Shared
from secure_redis.api.spec.spec import Mode
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.azure.governance.reads import Governance
from secure_redis.domain.grants import GrantPolicy, Power, VaultTarget, refuse
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.governance import AccessAssignmentFacts
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.observation import Observation, changed
from secure_redis.domain.observe.services import CACHES
from secure_redis.domain.observe.storage import KeyVaultFacts
from secure_redis.domain.observe.unknown import NOT_READ_YET, NotRead, Unknown
from secure_redis.domain.report import evidence
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.pass_state import PassState

KINDS: Final = (
    "locks",
    "diagnostics",
    "patch_schedule",
    "access_assignments",
    "access_policies",
    "role_assignments",
    "vault_properties",
    "changes",
)
READS_PER_PASS: Final = 3
# Resource Manager gives a principal 250 reads of a subscription at the same time and 25 a second (Microsoft,
# "Understand how Azure Resource Manager throttles requests"). A start may take a third of that, for a while. Later, 8
# reads of a cache are made in about 52 minutes, so that a thousand caches of one identity take about a tenth.
BURST: Final = 60.0
PER_SECOND: Final = 8.0
LONGEST_READ: Final = 10.0  # seconds; a pass waits no longer for what it does not need
_RETRY: Final = 300.0  # seconds after a failure that may pass by itself
_SOON: Final = 30.0  # seconds until the next pass over a resource that is not complete

_LOG: Final = "changes"
_VAULT: Final = "vault_properties"  # kept by the vault's URI too: resources of one cache may name several

Read = Callable[[], Awaitable[Any]]

_shared: Final = Shared(256)  # most caches have the same policies and no locks


class ReadAssignments(Protocol):
    """The access policy assignments of the caches of one service."""

    def __call__(self, identity: Identity, cache: CacheID) -> Awaitable[tuple[AccessAssignmentFacts, ...] | Unknown]:
        """Read those of one cache."""


class FindVault(Protocol):
    """The vault of a URI, in the management plane (see `azure.keyvault.encryption_keys`)."""

    def __call__(self, identity: Identity, subscription: str, uri: str) -> Awaitable[KeyVaultFacts | Unknown]:
        """Search for it in the subscription."""


@dataclass(frozen=True, slots=True)
class GovernanceAges:
    """Seconds. `max_age`: of what was read. `spread`: over which the first reads of a process are spread."""

    max_age: float = 3600.0
    spread: float = 120.0


@dataclass(slots=True)
class _Answer:
    value: Any
    at: float
    until: float


@dataclass(slots=True)
class _Place:
    """The answers that one identity has about one cache. `since`: when they were first requested."""

    since: float
    answers: dict[str, _Answer] = field(default_factory=dict)
    reading: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Allowance:
    level: float
    at: float


class GovernanceReader:
    """Keeps what governs caches, each kind with an age of its own. Checks the grants before every read."""

    def __init__(
        self,
        *,
        governance: Governance,
        assignments: Mapping[Service, ReadAssignments],
        find_vault: FindVault,
        activity: Activity | None,
        policy: GrantPolicy,
        ages: GovernanceAges,
        monotonic: Callable[[], float],
    ) -> None:
        self._governance = governance
        self._assignments = assignments
        self._find_vault = find_vault
        self._activity = activity
        self._policy = policy
        self._ages = ages
        self._monotonic = monotonic
        self._places: ExpiringCache[tuple[Identity, str], _Place] = ExpiringCache(monotonic, 2 * ages.max_age)
        self._refreshed: dict[Key, str] = {}  # the refresh request that the last pass came with
        self._allowances: ExpiringCache[tuple[Identity, str], _Allowance] = ExpiringCache(monotonic)

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add what is known. A few reads at most are made, all of them where a refresh is requested.

        Never raises. `pass_state.next_pass_within` is when the others can be read.
        """
        if not isinstance(observed.cache, Cache) or resource.deleting:
            return observed
        now, cache = self._monotonic(), resource.cache
        place = self._places.get((identity, cache.key), lambda: _Place(now))
        reads = self._reads(resource, identity, observed.now)
        if not isinstance(observed.patch_schedule, NotRead):
            reads.pop("patch_schedule", None)  # it is compared with the spec, and so was read with the cache
        fresh = pass_state.refresh and self._refreshed.get(resource.key) != resource.refresh
        if resource.refresh is None:
            self.forget(resource.key)
        else:
            self._refreshed[resource.key] = resource.refresh
        due = [kind for kind in reads if kind not in place.reading and _is_due(place, kind, now, fresh)]
        wait = 0.0 if fresh else place.since + self._delay(cache) - now
        if due and wait <= 0:
            chosen = due if fresh else due[: self._allowed(identity, cache, min(len(due), READS_PER_PASS))]
            await asyncio.gather(*(self._read_one(place, cache, kind, reads[kind]) for kind in chosen))
            due = [kind for kind in due if kind not in chosen]
        if due:
            pass_state.next_pass_within = max(wait, _SOON * (0.5 + _share(cache, "soon")))
        known: dict[str, Any] = {}
        for kind in reads:
            answer = place.answers.get(kind)
            good = answer is not None and self._monotonic() - answer.at <= evidence.good_for(self._ages.max_age)
            known[_kind(kind)] = answer.value if answer is not None and good else NOT_READ_YET
        return changed(observed, **known)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone. The answers about its cache may serve others and expire by themselves."""
        self._refreshed.pop(key, None)

    def ages(self) -> Mapping[str, tuple[int, float]]:
        """By kind: how many answers are kept, and the age in seconds of the oldest."""
        now, found = self._monotonic(), dict.fromkeys(KINDS, (0, 0.0))
        for _, place in self._places.items():  # noqa: PERF102 - an ExpiringCache has no values()
            for kind, answer in place.answers.items():
                count, oldest = found[_kind(kind)]
                found[_kind(kind)] = (count + 1, max(oldest, now - answer.at))
        return found

    def _reads(self, resource: SecureRedisCache, identity: Identity, now: datetime) -> dict[str, Read]:
        """Return what may be read for this resource, and how."""
        cache, namespace, governance = resource.cache, resource.key.namespace, self._governance
        if refuse(self._policy, identity, namespace, Power.OBSERVE, cache=cache) is not None:
            return {}
        reads: dict[str, Read] = {
            "locks": lambda: governance.locks(identity, cache),
            "diagnostics": lambda: governance.diagnostics(identity, cache),
            "role_assignments": lambda: governance.role_assignments(identity, cache),
        }
        of_some: dict[str, Read] = {
            "patch_schedule": lambda: governance.patch_schedule(identity, cache),
            "access_assignments": lambda: self._assignments[cache.service](identity, cache),
            "access_policies": lambda: governance.access_policies(identity, cache),
        }
        reads |= {kind: read for kind, read in of_some.items() if kind in CACHES[cache.service].GOVERNANCE}
        settings = resource.spec.authentication
        if settings is not None:
            uri = settings.key_vault.uri
            target = VaultTarget(uri, settings.key_vault.secret_name)
            if refuse(self._policy, identity, namespace, Power.PUBLISH_KEY, cache=cache, vault=target) is None:
                kind = f"{_VAULT} {uri.lower().rstrip('/')}"
                reads[kind] = lambda: self._find_vault(identity, cache.subscription, uri)
        activity = self._activity
        if activity is not None and resource.spec.mode is Mode.PROVISION:  # else others are expected to change it
            reads[_LOG] = lambda: activity.changes(identity, cache, now)
        return reads

    async def _read_one(self, place: _Place, cache: CacheID, kind: str, read: Read) -> None:
        place.reading.add(kind)
        try:
            async with asyncio.timeout(LONGEST_READ):
                value = await guarded(read(), f"what governs the cache ({kind})")
        except TimeoutError:
            value = Unknown(Reason.AZURE_ERROR, f"Azure did not answer within {LONGEST_READ:g} s")
        finally:
            place.reading.discard(kind)
        at = self._monotonic()
        place.answers[kind] = _Answer(_shared(value), at, at + self._keep(value, cache, kind))

    def _keep(self, value: Any, cache: CacheID, kind: str) -> float:
        """Return the seconds until it is read again. A refusal for a missing permission lasts as long as an answer."""
        age = self._ages.max_age * (0.75 + 0.25 * _share(cache, kind))  # so that what came together does not again
        if not isinstance(value, Unknown) or value.permanent or value.permission is not None:
            return age
        return min(age, max(value.retry_after or 0.0, _RETRY))

    def _delay(self, cache: CacheID) -> float:
        """Return the seconds from the first pass over a cache to the first read: a start has more urgent reads."""
        return self._ages.spread * (0.5 + 0.5 * _share(cache, "first"))

    def _allowed(self, identity: Identity, cache: CacheID, requested: int) -> int:
        """Return how many reads of a subscription the identity may make now."""
        now = self._monotonic()
        bucket = self._allowances.get((identity, cache.subscription.lower()), lambda: _Allowance(BURST, now))
        level = min(BURST, bucket.level + (now - bucket.at) * PER_SECOND)
        taken = min(requested, int(level))
        bucket.level, bucket.at = level - taken, now
        return taken


def _is_due(place: _Place, kind: str, now: float, fresh: bool) -> bool:
    answer = place.answers.get(kind)
    if answer is None or now >= answer.until:
        return True
    # Changes stay in the log, and new ones appear minutes late: a refresh reads it only to use a new permission.
    return fresh and (kind != _LOG or isinstance(answer.value, Unknown))


def _kind(name: str) -> str:
    return name.partition(" ")[0]


def _share(cache: CacheID, salt: str) -> float:
    """Return a number in [0, 1) that is the same in every process."""
    return crc32(f"{cache.key} {salt}".encode()) / 2**32
