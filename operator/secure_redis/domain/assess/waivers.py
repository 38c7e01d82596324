"""The operator's waiver policy: the least profile that applies, and which waivers it permits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Profile, Waiver


@dataclass(frozen=True, slots=True)
class Waivable:
    """Rules (ids or shell patterns) that resources of these namespaces (the same) may waive, so many days at most."""

    rules: tuple[str, ...]
    namespaces: tuple[str, ...]
    max_days: int


@dataclass(frozen=True, slots=True)
class WaiverPolicy:
    """The operator's configuration `compliance`. The default: Baseline, and nothing may be waived.

    `foreign_secrets`: whether Secrets of others are searched for the key (rule W2).
    """

    minimum_profile: Profile = Profile.BASELINE
    waivable: tuple[Waivable, ...] = ()
    foreign_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Waiving:
    """A waiver with its effect now. `refused`: why it has none; None: it applies until `until`."""

    waiver: Waiver
    until: datetime
    refused: str | None = None


def profile(resource: SecureRedisCache, waiver_policy: WaiverPolicy) -> Profile:
    """Return the profile that applies: the stricter of the resource's and the operator's."""
    return (
        Profile.STRICT if Profile.STRICT in {resource.spec.profile, waiver_policy.minimum_profile} else Profile.BASELINE
    )


def waivings(resource: SecureRedisCache, waiver_policy: WaiverPolicy, now: datetime) -> dict[str, Waiving]:
    """Evaluate the resource's waivers at `now` (aware), by rule. The schema allows one per rule."""
    return {waiver.rule: _evaluated(waiver, resource, waiver_policy, now) for waiver in resource.spec.waivers}


def _evaluated(waiver: Waiver, resource: SecureRedisCache, waiver_policy: WaiverPolicy, now: datetime) -> Waiving:
    until = datetime.combine(waiver.expires, time(), UTC)
    if now >= until:
        return Waiving(waiver, until, f"its waiver lapsed on {waiver.expires}")
    allowed = _allowed_days(waiver_policy.waivable, waiver.rule, resource.key.namespace)
    if allowed is None:
        where = f"namespace {resource.key.namespace!r}"
        return Waiving(
            waiver,
            until,
            f"its waiver is not permitted: the operator's configuration (compliance.waivable) does not "
            f"let {where} waive it",
        )
    if until - now > timedelta(days=allowed):
        return Waiving(
            waiver,
            until,
            f"its waiver is not permitted: it may end {allowed} days ahead at most (compliance.waivable), and ends on "
            f"{waiver.expires}",
        )
    return Waiving(waiver, until)


def _allowed_days(waivable: Iterable[Waivable], rule: str, namespace: str) -> int | None:
    days = [
        one.max_days
        for one in waivable
        if any(fnmatchcase(rule, pattern) for pattern in one.rules)
        and any(fnmatchcase(namespace, pattern) for pattern in one.namespaces)
    ]
    return max(days, default=None)
