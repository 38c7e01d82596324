"""Which request counts as answered, by the vault, the Secret and the status."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rotation_record import Rotated, RotationRecord, digest, record, superseded, unanswered
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark
from tests.builders.passes import OWNER, cache, judged, observation, published, resource, tampered, vault
from tests.builders.world import AUTHENTICATION, CACHE_ID, NOW, PRIMARY

SPEC = {"authentication": {"keyVault": {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}}}
TAGS = {"ProviderAddress": CACHE_ID, "CredentialId": "Primary"}
BEGAN = "2026-11-01T00:00:00Z"
LEAK = "emergency-leak"


def led(request: str | None, status: dict[str, Any] | None = None) -> SecureRedisCache:
    annotations = {} if request is None else {names.ROTATE: request}
    return resource(SPEC, annotations=annotations, status=status)


def observed(
    stored: str | None = "foreign", *, is_open: bool = False, text: str | None = None, own: bool = True
) -> Observation:
    """`stored`: the request of the rotation that stored the version, None: the schedule. `text`: the annotation."""
    tags = dict(TAGS)
    if stored != "foreign":
        tags |= Rotated(BEGAN, Slot.PRIMARY, digest(stored)).tag
    if is_open:
        tags |= RegenerationMark(BEGAN, Slot.PRIMARY, False, digest(stored), "ab").tag
    there = observation(cache=cache(tags=OWNER), vault=vault(tags=tags, created=NOW))
    if text is None:
        return there
    secret = published(led(None), there)
    annotations = {**secret.annotations, names.SECRET_ROTATION: text}
    owned = secret.own_annotations if own else secret.own_annotations - {names.SECRET_ROTATION}
    return replace(there, secret=replace(secret, annotations=annotations, own_annotations=owned))


FORGED: list[dict[str, Any] | None] = [
    None,
    {},
    {"lastHandled": {}},
    {"lastHandled": {"rotate": LEAK}},
    {"lastHandled": {"rotate": "please"}},
]


@pytest.mark.parametrize("status", FORGED)
@pytest.mark.parametrize(
    ("request_", "there", "expected"),
    [
        # The vault's version names the request.
        ("please", observed("please"), False),
        (LEAK, observed(LEAK), False),
        (LEAK, observed(LEAK, is_open=True), True),
        # The Secret does; the version is of the schedule, of another request, or of another party.
        ("please", observed(None, text=f"done/{digest('please')}"), False),
        (LEAK, observed(None, text=f"done/{digest(LEAK)}"), False),
        (LEAK, observed(None, is_open=True, text=f"scheduled/{digest(LEAK)}"), False),
        (LEAK, observed("earlier", text=f"done/{digest(LEAK)}"), False),
        (LEAK, observed(text=f"done/{digest(LEAK)}"), False),
        # Another party's version came in the middle.
        ("please", observed(text=f"open/{digest('please')}"), False),
        (LEAK, observed(text=f"open/{digest(LEAK)}"), True),
        # It is new.
        ("please", observed("earlier", text=f"done/{digest('earlier')}"), True),
        (LEAK, observed(text=f"done/{digest(None)}"), True),
    ],
)
def test_the_vault_and_the_secret_decide_whatever_the_status_reports(
    status: dict[str, Any] | None, request_: str, there: Observation, expected: bool
) -> None:
    assert unanswered(led(request_, status), there) == (request_ if expected else None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(None, None), ({"lastHandled": {"rotate": "please"}}, None), ({"lastHandled": {}}, "please")],
)
@pytest.mark.parametrize(
    "there", [observed(), observed("earlier"), observed(text="done/x", own=False), observed(text="nonsense")]
)
def test_without_a_record_a_request_of_the_first_pass_counts_as_answered(
    there: Observation, status: dict[str, Any] | None, expected: str | None
) -> None:
    assert unanswered(led("please", status), there) == expected


def test_a_secret_of_an_earlier_object_records_nothing_of_this_one() -> None:
    there = observed(text=f"done/{digest('earlier')}")
    assert unanswered(led("please"), there) == "please"
    assert isinstance(there.secret, SecretFacts)
    former = replace(there, secret=replace(there.secret, owner_uid="former"))
    assert unanswered(led("please"), former) is None


def test_a_superseded_rotation_is_recognised_by_the_secret() -> None:
    assert superseded(led("please"), observed(text=f"open/{digest('please')}"))
    assert superseded(led(None), observed(text=f"scheduled/{digest(None)}"))
    assert not superseded(led("please"), observed(text=f"done/{digest('please')}"))
    assert not superseded(led("please"), observed("please", is_open=True, text=f"open/{digest('please')}"))


def test_a_record_is_read_as_it_is_written() -> None:
    for there in (
        observed("please"),
        observed("please", is_open=True),
        observed(None, is_open=True),
        observed(text="open/x"),
    ):
        found = record(led("please"), there)
        assert RotationRecord.parse(str(found)) == found
    assert RotationRecord.parse("done") is None
    assert RotationRecord.parse("ready/x") is None


def at(there: Observation) -> str:
    """Since when the Secret is recorded to hold its version."""
    data = judged(led(None), there).credential.data
    assert data is not None
    return data.annotations[names.SECRET_PUBLISHED]


def test_the_time_of_the_publication_stays_while_nobody_else_touches_the_secret() -> None:
    first = observed(text="done/-")
    written, later = at(first), replace(first, now=NOW + timedelta(hours=1))
    assert written == "2026-11-24T12:00:00Z"
    assert at(later) == written
    secret = later.secret
    assert isinstance(secret, SecretFacts)
    changed = "2026-11-24T13:00:00Z"
    other = replace(later, vault=vault(PRIMARY, version="b" * 32, tags=TAGS))
    assert at(other) == changed, "another version"
    assert at(replace(later, secret=tampered(secret))) == changed, "another password"
    by_others = replace(secret, written_by={"data.password": "kubectl"})
    assert at(replace(later, secret=by_others)) == changed, "a password that another party wrote"
    early = {**secret.annotations, names.SECRET_PUBLISHED: "2020-01-01T00:00:00Z"}
    forged = replace(secret, annotations=early, own_annotations=frozenset())
    assert at(replace(later, secret=forged)) == changed, "an annotation that another party wrote"
    ahead = {**secret.annotations, names.SECRET_PUBLISHED: "2027-01-01T00:00:00Z"}
    assert at(replace(later, secret=replace(secret, annotations=ahead))) == changed
    assert at(replace(later, secret=None)) == changed, "a Secret that was deleted"
