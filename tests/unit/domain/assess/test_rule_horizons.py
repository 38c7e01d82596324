"""A rule's answer changes by the clock alone only at a date of the observation, or a declared distance from one."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, get_type_hints

import pytest

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain import observe
from secure_redis.domain.assess.rules import RULES
from secure_redis.domain.assess.rules.rule import PASS, Rule, Severity, Verdict, fail
from secure_redis.domain.observe.authors import Author, Window
from secure_redis.domain.observe.cache import Write
from secure_redis.domain.observe.observation import Observation, changed
from secure_redis.domain.observe.usage import Change
from secure_redis.domain.observe.workloads import Owned, PodFacts
from tests.builders.complete import complete
from tests.builders.managed_redis import managed
from tests.builders.world import AUTHENTICATION, NOW, resource
from tests.unit.domain.rule_cases import CASES, DAY, INJECTED, MANAGED, PERSISTENT, PUBLISHED, REDIS, STRICT, app

ROTATED = resource({"authentication": {**AUTHENTICATION, "rotation": {"intervalDays": 45}}})
FAR = timedelta(days=4000)
SECOND = timedelta(seconds=1)
BETWEEN = 4  # how many moments of a stretch of time are tried


def _is_time(hint: Any) -> bool:
    return hint is datetime or datetime in getattr(hint, "__args__", ())


def _dated(value: Any, days: Iterator[int]) -> Any:
    """The value with a date of its own in each field that can hold one, whether one was there or not."""
    if isinstance(value, tuple):
        return tuple(_dated(one, days) for one in value)
    if isinstance(value, Mapping):
        return {name: _dated(one, days) for name, one in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    hints = get_type_hints(type(value))
    changes: dict[str, Any] = {}
    for field in fields(value):
        if field.name == "now":
            continue
        inner = getattr(value, field.name)
        changes[field.name] = NOW + next(days) * DAY if _is_time(hints[field.name]) else _dated(inner, days)
    return replace(value, **changes)


def dated(observed: Observation) -> Observation:
    """The observation with every date set, each some weeks after the other."""
    found: Observation = _dated(observed, iter(range(0, 100_000, 37)))
    return found


def dates(value: Any) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from dates(one)
    elif isinstance(value, Mapping):
        yield from dates(tuple(value.values()))
    elif is_dataclass(value):
        for field in fields(value):
            if field.name != "now":
                yield from dates(getattr(value, field.name))


def whole() -> Observation:
    """An observation in which everything that can hold a date is there."""
    return complete(
        secret=PUBLISHED,
        workloads=(app(owned=Owned()),),
        pods={("Deployment", "app"): (PodFacts("app-1"),)},
        consumers=(PodFacts("other-1"),),
        authors={("path", "value"): Author("someone", NOW)},
        changes=(Change(NOW, "someone", "write", own=False),),
    )


WORLDS: list[tuple[SecureRedisCache, Observation]] = [
    *((of, dated(whole())) for of in (REDIS, STRICT, PERSISTENT, INJECTED, ROTATED)),
    (MANAGED, dated(replace(whole(), cache=managed()))),
]


def interval(of: SecureRedisCache) -> Iterator[timedelta]:
    """The interval of a rotation, which the resource itself declares."""
    settings = of.spec.authentication
    if settings is not None and settings.rotation.interval_days is not None:
        yield timedelta(days=settings.rotation.interval_days)


def undeclared(rule: Rule) -> str | None:
    """Where the rule's answer changes between two declared moments; None: nowhere."""
    own = [(of, dated(complete(**changes))) for name, of, changes, _ in CASES if name == rule.id]
    for of, observed in (*WORLDS, *own):
        horizons = {timedelta(), *interval(of), *rule.horizons}
        moments = sorted({date + horizon for date in dates(observed) for horizon in horizons})
        for begins, ends in pairwise((moments[0] - FAR, *moments, moments[-1] + FAR)):
            if ends - begins <= 2 * SECOND:
                continue
            step = (ends - begins - 2 * SECOND) / (BETWEEN - 1)
            tried = [begins + SECOND + step * number for number in range(BETWEEN)]
            answers = [rule.check(of, changed(observed, now=moment)) for moment in tried]
            for (earlier, before), (later, after) in pairwise(zip(tried, answers, strict=True)):
                if before != after:
                    return f"{rule.id} changes between {earlier} and {later}: {before} becomes {after}"
    return None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_changes_at_declared_moments_only(rule: Rule) -> None:
    found = undeclared(rule)
    assert found is None, f"{found}; declare that distance in Rule(horizons=...)"


@pytest.mark.parametrize("days", [-3, 12, 700])
def test_an_undeclared_distance_is_noticed(days: int) -> None:
    distance = timedelta(days=days)

    def check(_: SecureRedisCache, observed: Observation) -> Verdict:
        certificate = observed.endpoint.certificate  # type: ignore[union-attr]
        return fail("late") if observed.now >= certificate.not_after + distance else PASS  # type: ignore[union-attr]

    dummy = Rule("X1", "A dummy", Severity.LOW, check, "nothing")
    assert "X1" in (undeclared(dummy) or "")
    assert undeclared(replace(dummy, horizons=(distance,))) is None


def _facts() -> Iterator[type]:
    for module in pkgutil.iter_modules(observe.__path__, f"{observe.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and is_dataclass(value) and value.__module__ == module.name:
                yield value


def test_every_date_that_can_be_observed_is_tried() -> None:
    def of(value: Any) -> Iterator[type]:
        if isinstance(value, tuple):
            for one in value:
                yield from of(one)
        elif isinstance(value, Mapping):
            yield from of(tuple(value.values()))
        elif is_dataclass(value) and not isinstance(value, type):
            yield type(value)
            for field in fields(value):
                yield from of(getattr(value, field.name))

    tried = {kind for _, observed in WORLDS for kind in of(observed)}
    holding = {kind for kind in _facts() if any(_is_time(hint) for hint in get_type_hints(kind).values())}
    read_only = {Write, Window}  # a reader makes an Author of them
    assert {kind.__name__ for kind in holding - tried - read_only} == set()
