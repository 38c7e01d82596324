"""Define what a pass reports to those who schedule, log and count it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from secure_redis.api.reasons.catalogue import needs_person
from secure_redis.api.reasons.reason import ConditionType
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import Status
from secure_redis.domain.report import evidence
from secure_redis.domain.report.report import Report

Body = Mapping[str, Any]  # of an object, as the API server delivers it


class Result(StrEnum):
    """How a pass ended. BLOCKED: the resource is not Ready until a person acts."""

    SUCCESS = "success"
    BLOCKED = "blocked"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """The condition Ready as a pass reported it, for the log."""

    status: str
    reason: str
    message: str
    generation: int | None

    @property
    def blocked(self) -> bool:
        """Whether a person has to act."""
        return self.status != "True" and needs_person(self.reason)


def ready_of(status: Status) -> ReadyReport | None:
    """Return what a status reports of Ready."""
    ready = status.condition(ConditionType.READY)
    if ready is None:
        return None
    return ReadyReport(ready.status, ready.reason, ready.message, ready.observed_generation)


@dataclass(frozen=True, slots=True)
class NextPass:
    """The next pass comes after `after` seconds, or later by back-off if this one `failed`.

    `grows_to`: while passes end like this one, the time grows up to so many seconds. `paced`: the pass failed, and the
    back-off of what failed is in `after` already. `ready`: None where the pass reported nothing. `good_for`: seconds,
    from the pass's beginning on, for which its result is good; None where it observed nothing.
    """

    after: float
    failed: bool = False
    retry_after: float | None = None
    ready: ReadyReport | None = None
    grows_to: float | None = None
    paced: bool = False
    good_for: float | None = None

    @property
    def result(self) -> Result:
        """Return how the pass ended. A fault that a person must repair is no operator error, though it is retried."""
        if self.ready is not None and self.ready.blocked:
            return Result.BLOCKED
        return Result.ERROR if self.failed else Result.SUCCESS


def after_report(
    resource: SecureRedisCache,
    reported: Report,
    within: float | None,
    ready: ReadyReport | None,
    due_in: float | None,
) -> NextPass:
    """Return the next pass as reported; earlier where something can be read before then.

    `within`: seconds until more can be read; None: nothing is missing. `due_in`: seconds until a refused write may be
    repeated. That write alone does not delay or hasten what is read.
    """
    good_for = evidence.good_for(resource.spec.drift.interval_seconds)
    if due_in is not None and reported.failed and not reported.unread:
        return NextPass(min(due_in, reported.next_pass_in), failed=True, ready=ready, paced=True, good_for=good_for)
    after = reported.next_pass_in if reported.failed or within is None else min(reported.next_pass_in, within)
    grows_to = None if reported.failed else reported.grows_to
    return NextPass(after, reported.failed, reported.retry_after, ready, grows_to, good_for=good_for)


def growing(count: int, first: float, longest: float) -> float:
    """Return a pause that doubles with each repeat. `count`: repeats in a row, from 1."""
    return min(longest, first * 2.0 ** min(max(0, count - 1), 30))
