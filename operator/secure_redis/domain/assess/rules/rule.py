"""What a rule is. A rule judges one thing, from one observation, and says what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Probe, Profile
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import CacheFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown

READ_CACHE: Final = "Microsoft.Cache/redis/read"
READ_MANAGED: Final = "Microsoft.Cache/redisEnterprise/read"
READ_DATABASE: Final = "Microsoft.Cache/redisEnterprise/databases/read"
READ_FIREWALL: Final = "Microsoft.Cache/redis/firewallRules/read"
READ_SECRET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"  # noqa: S105 - an action
_LISTED: Final = 5


class Severity(StrEnum):
    """How much a failure matters. INFO is listed but not counted: nothing has to be done about it now."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    INFO = "Info"


class Result(StrEnum):
    """What a rule found. UNKNOWN: could not be judged, which is never the same as PASS."""

    PASS = "Pass"  # noqa: S105 - a result
    FAIL = "Fail"
    UNKNOWN = "Unknown"
    WAIVED = "Waived"
    NOT_APPLICABLE = "NotApplicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's result and what it rests on. No number that changes by itself, nothing secret.

    `pending`: unknown only because what it rests on will be read within minutes.
    """

    result: Result
    message: str = ""
    pending: bool = False


PASS = Verdict(Result.PASS)
NOT_APPLICABLE = Verdict(Result.NOT_APPLICABLE)
ONLY_REDIS = Verdict(Result.NOT_APPLICABLE, "only a Microsoft.Cache/redis has it")
ONLY_MANAGED = Verdict(Result.NOT_APPLICABLE, "only a Microsoft.Cache/redisEnterprise has it")


def fail(message: str) -> Verdict:
    """Build a failure."""
    return Verdict(Result.FAIL, message)


def unknown(message: str) -> Verdict:
    """Build a "could not be judged"."""
    return Verdict(Result.UNKNOWN, message)


Check = Callable[[SecureRedisCache, Observation], Verdict]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `severity` is that of profile Baseline; `strict` that of Strict where it is another.

    `references`: ids of the same check in other tools (docs/internals/azure-facts.md#rule-ids-of-other-tools), for
    auditors. `horizons`: how long before (negative) or after a date of the observation the answer can change by the
    clock alone; at the date itself it always may (`steady_state` ends a rest there). A rotation's interval is known.
    For the documentation: `why` a failure matters, what the rule `reads`, and which rights that `needs`.
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
        """How much a failure matters in a profile."""
        return self.strict if profile is Profile.STRICT and self.strict is not None else self.severity


def on_cache(judge: Callable[[CacheFacts], Verdict]) -> Check:
    """Make a check of a judgement on the cache alone; unread is Unknown. Not applicable to Managed Redis."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if resource.cache.service is not Service.REDIS:
            return ONLY_REDIS
        return (
            judge(observed.cache)
            if isinstance(observed.cache, CacheFacts)
            else unread("the cache", observed.cache, READ_CACHE)
        )

    return check


def on_managed(judge: Callable[[ManagedFacts], Verdict]) -> Check:
    """Make a check of a judgement on a Managed Redis cluster; not applicable to Microsoft.Cache/redis."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if resource.cache.service is not Service.MANAGED_REDIS:
            return ONLY_MANAGED
        facts = observed.managed_cache
        return judge(facts) if isinstance(facts, ManagedFacts) else unread("the cluster", facts, READ_MANAGED)

    return check


def on_database(judge: Callable[[ManagedDatabase], Verdict]) -> Check:
    """Make a check of a judgement on a cluster's database; not applicable while it has none."""

    def judged(cluster: ManagedFacts) -> Verdict:
        found = cluster.database
        if found is None:
            return Verdict(Result.NOT_APPLICABLE, "the cluster has no database yet")
        return judge(found) if isinstance(found, ManagedDatabase) else unread("the database", found, READ_DATABASE)

    return on_managed(judged)


def on_either(judge: Callable[[CacheFacts | ManagedFacts], Verdict]) -> Check:
    """Make a check of a judgement on what both services have alike."""
    redis, managed = on_cache(judge), on_managed(judge)

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        return (redis if resource.cache.service is Service.REDIS else managed)(resource, observed)

    return check


def on_vault(judge: Callable[[VaultSecretFacts, Observation], Verdict]) -> Check:
    """Make a check of a judgement on the vault secret; without `spec.authentication` there is none to judge."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if resource.spec.authentication is None:
            return NOT_APPLICABLE
        if isinstance(observed.vault, VaultSecretFacts):
            return judge(observed.vault, observed)
        return unread("the Key Vault secret", observed.vault, READ_SECRET)

    return check


def on_endpoint(judge: Callable[[EndpointFacts, Observation], Verdict]) -> Check:
    """Make a check of a judgement on the live endpoint. Without a probe it is unknown what the endpoint does.

    What an earlier process saw is read back from the status, which others may have written to: such a look can fail a
    rule and never pass it. Until this process has looked, what passes by it stays as it was told.
    """

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if resource.spec.transport.probe is Probe.DISABLED:
            return unknown("the endpoint is not probed (spec.transport.probe); set it to Enabled")
        endpoint = observed.endpoint
        if isinstance(endpoint, NotRead):
            return NOT_APPLICABLE  # no endpoint that could be probed
        if isinstance(endpoint, Unknown):
            return unread("the endpoint", endpoint)
        verdict = judge(endpoint, observed)
        if endpoint.at is None and verdict.result is Result.PASS:
            return unread("the endpoint", NotRead(soon=True))
        return verdict

    return check


def unread(what: str, thing: Any, permission: str = "") -> Verdict:
    """Build the verdict on a thing that is not there or could not be read.

    `thing`: Unknown, NotRead or a kind of "absent" that has a `message`. `permission`: the action that allows the
    read, told where a right is what is lacking.
    """
    if isinstance(thing, NotRead):
        return Verdict(Result.UNKNOWN, f"not read{' yet' if thing.soon else ''}: {what}", pending=thing.soon)
    said = f"could not read {what}: {thing.message}"
    if not isinstance(thing, Unknown):
        return unknown(said)
    lacking = thing.permission or (permission if has(thing.reason, Trait.MISSING_RIGHT) else "")
    return unknown(f"{said}; the right that allows it is {lacking}" if lacking and lacking not in said else said)


def some(items: Iterable[str]) -> str:
    """The first few of a list, in its order, and how many more there are."""
    listed = list(items)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


def date(time: Any) -> str:
    """The day of a time, in UTC as all times are."""
    return str(time.strftime("%Y-%m-%d"))
