"""The defaults where a spec says nothing, and the highest mode: from the operator's configuration."""

from typing import Any

import pytest

from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.api.spec.defaults import SpecDefaults
from secure_redis.api.spec.spec import Mode, Profile
from secure_redis.domain.plan import finalizer
from tests.builders.passes import observation, reported
from tests.builders.world import CACHE_ID, UID

STRICT = SpecDefaults(Mode.PROVISION, Profile.STRICT, 600)
READER = SpecDefaults(maximum_mode=Mode.VALIDATE)
PROVISION = {"mode": "Provision", "provision": {"location": "westeurope"}, "deletionPolicy": "Delete"}


def parsed(spec: dict[str, Any], defaults: SpecDefaults) -> SecureRedisCache:
    meta = {"namespace": "shop", "name": "orders", "uid": UID, "generation": 1, "resourceVersion": "7"}
    found = parse({"metadata": meta, "spec": {"resourceID": CACHE_ID, **spec}}, defaults)
    assert isinstance(found, SecureRedisCache)
    return found


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, (Profile.STRICT, 600)),
        ({"drift": {}}, (Profile.STRICT, 600)),
        ({"drift": {"correct": ["Security"]}}, (Profile.STRICT, 600)),
        ({"profile": "Baseline"}, (Profile.BASELINE, 600)),
        ({"drift": {"intervalSeconds": 300}}, (Profile.STRICT, 300)),
    ],
)
def test_a_default_applies_where_the_spec_says_nothing(spec: dict[str, Any], expected: tuple[Profile, int]) -> None:
    found = parsed(spec, STRICT).spec
    assert (found.profile, found.drift.interval_seconds) == expected
    assert found.drift.correct == tuple(spec.get("drift", {}).get("correct", ()))


def test_without_configuration_the_defaults_are_baseline_and_five_minutes() -> None:
    found = parsed({}, SpecDefaults()).spec
    assert (found.mode, found.profile, found.drift.interval_seconds) == (Mode.VALIDATE, Profile.BASELINE, 300)


def test_the_highest_mode_limits_a_resource_and_raises_none() -> None:
    assert parsed(PROVISION, SpecDefaults()).spec.mode is Mode.PROVISION
    limited = parsed(PROVISION, READER)
    assert limited.spec.mode is Mode.VALIDATE
    assert not finalizer.deletes_cache(limited), "what the operator may not provision it does not delete"
    assert parsed({}, SpecDefaults()).spec.mode is Mode.VALIDATE


def test_the_status_shows_what_applies() -> None:
    status = reported(parsed({**PROVISION, "profile": "Strict"}, READER), observation()).status
    assert status.document()["effective"] == {"mode": "Validate", "profile": "Strict", "intervalSeconds": 300}
    assert reported(parsed({}, STRICT), observation()).next_pass_in == 600
