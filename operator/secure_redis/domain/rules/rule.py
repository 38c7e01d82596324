"""What a rule is. A rule judges one thing, from one observation, and says what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observation import (
    CacheAbsent,
    CacheFacts,
    NotRead,
    Observation,
    Unknown,
    VaultSecretAbsent,
    VaultSecretFacts,
)

T = TypeVar("T")


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
    """A rule's result and what it rests on. No number that changes by itself, nothing secret."""

    result: Result
    message: str = ""


PASS = Verdict(Result.PASS)
NOT_APPLICABLE = Verdict(Result.NOT_APPLICABLE)


def fail(message: str) -> Verdict:
    """Build a failure."""
    return Verdict(Result.FAIL, message)


def unknown(message: str) -> Verdict:
    """Build a "could not be judged"."""
    return Verdict(Result.UNKNOWN, message)


Check = Callable[[SecureRedisCache, Observation], Verdict]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `references`: ids of the same check in other tools (facts/rules.md §4.1-4.4), for auditors."""

    id: str
    title: str
    severity: Severity
    check: Check
    remedy: str
    references: tuple[str, ...] = ()


def on_cache(judge: Callable[[CacheFacts], Verdict]) -> Check:
    """Make a check of a judgement on the cache alone; unread is Unknown."""

    def check(_: SecureRedisCache, seen: Observation) -> Verdict:
        return judge(seen.cache) if isinstance(seen.cache, CacheFacts) else unread("the cache", seen.cache)

    return check


def on_vault(judge: Callable[[VaultSecretFacts, Observation], Verdict]) -> Check:
    """Make a check of a judgement on the vault secret; without `spec.authentication` there is none to judge."""

    def check(resource: SecureRedisCache, seen: Observation) -> Verdict:
        if resource.spec.authentication is None:
            return NOT_APPLICABLE
        if isinstance(seen.vault, VaultSecretFacts):
            return judge(seen.vault, seen)
        return unread("the Key Vault secret", seen.vault)

    return check


def unread(what: str, thing: CacheAbsent | VaultSecretAbsent | Unknown | NotRead) -> Verdict:
    """Build the verdict on a thing that is not there or could not be read."""
    return unknown(f"{what} was not read" if isinstance(thing, NotRead) else f"{what} was not read: {thing.message}")
