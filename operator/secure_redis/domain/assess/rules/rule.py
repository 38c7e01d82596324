"""A rule checks one thing in one observation and names the remedy."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Probe, Profile
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.services import CACHES
from secure_redis.domain.observe.unknown import NotRead, Unknown

READ_CACHE: Final = Redis.READ
READ_MANAGED: Final = ManagedRedis.READ
READ_DATABASE: Final = "Microsoft.Cache/redisEnterprise/databases/read"
READ_ASSIGNMENTS: Final = "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments/read"
READ_FIREWALL: Final = "Microsoft.Cache/redis/firewallRules/read"
READ_SECRET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"  # noqa: S105 - an action
_LISTED: Final = 5


class Severity(StrEnum):
    """How much a failure matters, the worst first. A failure of INFO is advice: nothing has to be done about it now."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    INFO = "Info"


# From this severity on, a finding makes the cache not compliant.
THRESHOLD: Final = Severity.MEDIUM
# From this severity on, a finding withholds a new Secret under `connection.publish: WhenCompliant`.
WITHHOLDS: Final = Severity.HIGH


class Result(StrEnum):
    """The result of a rule. UNKNOWN: it could not be checked, which is never the same as PASS.

    ADVICE: how a finding reports a FAIL of severity INFO.
    """

    PASS = "Pass"  # noqa: S105 - a result
    FAIL = "Fail"
    ADVICE = "Advice"
    UNKNOWN = "Unknown"
    WAIVED = "Waived"
    NOT_APPLICABLE = "NotApplicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's result and why. The message contains no number that changes by itself, and nothing secret.

    `pending`: unknown only because what it needs will be read within minutes.
    """

    result: Result
    message: str = ""
    pending: bool = False


PASS = Verdict(Result.PASS)
NOT_APPLICABLE = Verdict(Result.NOT_APPLICABLE)


def fail(message: str) -> Verdict:
    """Build a failure."""
    return Verdict(Result.FAIL, message)


def unknown(message: str) -> Verdict:
    """Build an Unknown."""
    return Verdict(Result.UNKNOWN, message)


C = TypeVar("C", bound=Cache)
Check = Callable[[SecureRedisCache, Observation], Verdict]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `severity` is that of profile Baseline; `strict` that of Strict where it is another.

    `references`: ids of the same check in other tools (docs/internals/azure-facts.md#rule-ids-of-other-tools), for
    auditors. `horizons`: how long before (negative) or after a date of the observation the answer can change by the
    clock alone; at the date itself it always may (`steady_state` ends there). A rotation's interval is known.
    For the documentation: `why` a failure matters, what the rule `reads`, and which permissions that `needs`.
    """

    id: str
    title: str
    severity: Severity
    check: Check
    remedy: str
    references: tuple[str, ...] = ()
    strict: Severity | None = None
    why: str = ""
    reads: str = ""
    needs: tuple[str, ...] = ()
    horizons: tuple[timedelta, ...] = ()

    def weight(self, profile: Profile) -> Severity:
        """Return how much a failure matters in a profile."""
        return self.strict if profile is Profile.STRICT and self.strict is not None else self.severity


def on_cache(assess: Callable[[Cache], Verdict]) -> Check:
    """Build a check of the common part of a cache of any service; a cache that was not read is Unknown."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        cache = observed.cache
        return assess(cache) if isinstance(cache, Cache) else unread_cache(resource, cache)

    return check


def on_service(
    service: type[C], others: Verdict, assess: Callable[[SecureRedisCache, Observation, C], Verdict]
) -> Check:
    """Build a check of the caches of one service; `others`: the verdict on those of other services."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if CACHES[resource.cache.service] is not service:
            return others
        cache = observed.cache
        return assess(resource, observed, cache) if isinstance(cache, service) else unread_cache(resource, cache)

    return check


def by_service(checks: Mapping[type[Cache], Check]) -> Check:
    """Build a check that reads another setting in each service."""
    return lambda resource, observed: checks[CACHES[resource.cache.service]](resource, observed)


def unread_cache(resource: SecureRedisCache, thing: Any) -> Verdict:
    """Build the verdict on a cache that could not be read, with the right that its service needs."""
    service = CACHES[resource.cache.service]
    return unread(service.NOUN, thing, service.READ)


def on_vault(assess: Callable[[VaultSecretFacts, Observation], Verdict]) -> Check:
    """Build a check of the vault secret; not applicable without `spec.authentication`."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if resource.spec.authentication is None:
            return NOT_APPLICABLE
        if isinstance(observed.vault, VaultSecretFacts):
            return assess(observed.vault, observed)
        return unread("the Key Vault secret", observed.vault, READ_SECRET)

    return check


def on_endpoint(assess: Callable[[EndpointFacts, Observation], Verdict]) -> Check:
    """Build a check of the live endpoint. Without a probe it is Unknown.

    The probe of an earlier process is read back from the status, to which others can write: it can fail a rule and
    never pass it. Until this process has probed, such a pass stays as it was reported.
    """

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if resource.spec.transport.probe is Probe.DISABLED:
            return unknown("the endpoint is not probed (spec.transport.probe); set it to Enabled")
        endpoint = observed.endpoint
        if isinstance(endpoint, NotRead):
            return NOT_APPLICABLE  # no endpoint that could be probed
        if isinstance(endpoint, Unknown):
            return unread("the endpoint", endpoint)
        verdict = assess(endpoint, observed)
        if endpoint.at is None and verdict.result is Result.PASS:
            return unread("the endpoint", NotRead(soon=True))
        return verdict

    return check


def unread(what: str, thing: Any, permission: str = "") -> Verdict:
    """Build the verdict on a value that is absent or could not be read.

    `thing`: Unknown, NotRead or a kind of "absent" that has a `message`. `permission`: the action that allows the
    read, named where that right is missing.
    """
    if isinstance(thing, NotRead):
        return Verdict(Result.UNKNOWN, f"not read{' yet' if thing.soon else ''}: {what}", pending=thing.soon)
    message = f"could not read {what}: {thing.message}"
    if not isinstance(thing, Unknown):
        return unknown(message)
    lacking = thing.permission or (permission if has(thing.reason, Trait.MISSING_RIGHT) else "")
    return unknown(
        f"{message}; the right that allows it is {lacking}" if lacking and lacking not in message else message
    )


def some(items: Iterable[str]) -> str:
    """Join the first few items of a list, in its order, and the number of the others."""
    listed = list(items)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


def date(time: Any) -> str:
    """Format the day of a time; all times are in UTC."""
    return str(time.strftime("%Y-%m-%d"))
