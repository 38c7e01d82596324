"""When the surroundings of a cache are read, how often, and for which resources. Azure is a list of answers here."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.grants import Grant, GrantPolicy, Power
from secure_redis.domain.observe.governance import LockFacts
from secure_redis.domain.observe.identity import OperatorIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, NOT_READ_YET, Unknown
from secure_redis.reconciler.observe.governance import (
    BURST,
    KINDS,
    READS_PER_PASS,
    GovernanceAges,
    GovernanceReader,
)
from secure_redis.reconciler.pass_state import PassState
from tests.builders.passes import PROVISION, cache, resource
from tests.builders.world import AUTHENTICATION, CACHE_ID, IDENTITY, NOW

DENIED = Unknown(Reason.AZURE_DENIED, "no right", permission="Microsoft.Authorization/locks/read")
BUSY = Unknown(Reason.AZURE_ERROR, "busy")


@dataclass
class Azure:
    """Answers by kind, and what was read."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hangs: bool = False

    def __getattr__(self, kind: str) -> Any:
        async def read(*_: object) -> Any:
            self.asked.append(kind)
            if self.hangs:
                await asyncio.Event().wait()
            answer = self.answers.get(kind, ())
            if isinstance(answer, Exception):
                raise answer
            return answer

        return read


def provisioned(refresh: str | None = None) -> SecureRedisCache:
    """In mode Provision, with a key from a vault: all kinds are read."""
    spec = {"authentication": AUTHENTICATION, "mode": "Provision", "provision": PROVISION}
    return resource(spec, annotations={names.REFRESH: refresh} if refresh else None)


PROVISIONED = provisioned()


class World:
    """One reader, one clock."""

    def __init__(self, policy: GrantPolicy | None = None, *, activity: bool = True) -> None:
        self.azure = Azure()
        self.now = 1000.0
        self.around = GovernanceReader(
            governance=self.azure,  # type: ignore[arg-type]
            assignments={
                Service.REDIS: self.azure.access_assignments,
                Service.MANAGED_REDIS: self.azure.managed_assignments,
            },
            find_vault=self.azure.vault_properties,
            activity=self.azure if activity else None,  # type: ignore[arg-type]
            policy=policy or GrantPolicy(),
            ages=GovernanceAges(max_age=3600.0, spread=120.0),
            monotonic=lambda: self.now,
        )
        self.memory = PassState()

    def look(self, of: SecureRedisCache | None = None, **changes: Any) -> Observation:
        memory = changes.pop("memory", self.memory)
        identity = changes.pop("identity", IDENTITY)
        observed = Observation(now=NOW, cache=changes.pop("cache", cache()))
        self.azure.asked.clear()
        memory.next_pass_within = None
        return asyncio.run(self.around.read(of or resource(), observed, identity, memory))

    def complete(self, of: SecureRedisCache | None = None) -> Observation:
        """Read until nothing is missing; as often as passes are requested."""
        observed = self.look(of)
        while self.memory.next_pass_within is not None:
            self.now += self.memory.next_pass_within
            observed = self.look(of)
        return observed


def test_the_first_pass_reads_nothing_and_requests_another() -> None:
    world = World()
    observed = world.look()
    assert world.azure.asked == []
    assert observed.locks == NOT_READ_YET
    assert observed.vault_properties == NOT_READ  # nothing names a vault
    assert world.memory.next_pass_within is not None
    assert 60 <= world.memory.next_pass_within <= 120


def test_all_is_known_within_minutes_and_then_nothing_is_read_for_long() -> None:
    world = World()
    began = world.now
    observed = world.complete(PROVISIONED)
    assert world.now - began <= 300
    assert not any(getattr(observed, kind) == NOT_READ_YET for kind in KINDS)
    assert len(world.azure.asked) <= READS_PER_PASS
    world.now += 3600 * 0.75 - 300
    world.look()
    assert world.azure.asked == []


def test_an_age_ends() -> None:
    world = World()
    world.complete()
    lock = LockFacts("keep", "CanNotDelete", "/")
    world.azure.answers["locks"] = (lock,)
    world.now += 3600
    observed = world.complete()
    assert observed.locks == (lock,)


def test_a_refusal_costs_one_request_an_age() -> None:
    world = World()
    world.azure.answers["locks"] = DENIED
    asked = 0
    began = world.now
    while world.now - began < 2000:
        observed = world.look()
        asked += world.azure.asked.count("locks")
        world.now += 30
    assert observed.locks == DENIED
    assert asked == 1


def test_a_temporary_failure_is_read_again() -> None:
    world = World()
    world.azure.answers["locks"] = BUSY
    assert world.complete().locks == BUSY
    world.azure.answers["locks"] = ()
    world.now += 301
    assert world.complete().locks == ()


def test_a_defect_and_a_hanging_answer_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.azure.answers["locks"] = KeyError("defect")
    assert isinstance(world.complete().locks, Unknown)
    monkeypatch.setattr("secure_redis.reconciler.observe.governance.LONGEST_READ", 0.01)
    world.azure.hangs = True
    world.now += 3600
    assert isinstance(world.complete().diagnostics, Unknown)


def test_two_resources_of_one_identity_share_and_two_identities_do_not() -> None:
    world = World(GrantPolicy(grants=(Grant(namespaces=("*",), powers=frozenset({Power.OBSERVE}), caches=("/",)),)))
    world.complete()
    assert world.look(memory=PassState()).locks == ()
    assert world.azure.asked == []
    assert world.look(memory=PassState(), identity=OperatorIdentity()).locks != ()


def test_equal_answers_about_two_caches_are_kept_once() -> None:
    locks = []
    for name in ("orders", "baskets"):
        world = World()
        world.azure.answers["locks"] = (LockFacts(name="all", level="CanNotDelete", scope=CACHE_ID),)
        locks.append(world.complete(resource({"resourceID": f"{CACHE_ID}-{name}"})).locks)
    assert isinstance(locks[0], tuple)
    assert locks[0] is locks[1]


def test_no_power_no_read() -> None:
    world = World()
    memory = PassState(refresh=True)
    asked = resource(annotations={names.REFRESH: "now"})
    observed = world.look(asked, memory=memory, identity=OperatorIdentity())
    assert world.azure.asked == []
    assert observed.locks == NOT_READ


def test_a_refresh_reads_all_at_once_and_only_once() -> None:
    world = World()
    of = provisioned("now")
    world.memory.refresh = True
    world.look(of)
    assert sorted(world.azure.asked) == sorted(KINDS)
    world.look(of)  # the refresh is not handled yet, because of something else
    assert world.azure.asked == []


def test_the_log_is_read_where_no_one_else_should_change_the_cache_and_where_it_is_enabled() -> None:
    world = World()
    assert world.complete().changes == NOT_READ
    assert world.complete(PROVISIONED).changes == ()
    switched_off = World(activity=False)
    assert switched_off.complete(PROVISIONED).changes == NOT_READ


def test_a_refresh_reads_the_log_again_only_where_it_could_not_be_read() -> None:
    world = World()
    world.azure.answers["changes"] = DENIED
    world.memory.refresh = True
    assert world.look(provisioned("1")).changes == DENIED
    world.azure.answers["changes"] = ()
    assert world.look(provisioned("2")).changes == ()
    world.look(provisioned("3"))
    assert "locks" in world.azure.asked
    assert "changes" not in world.azure.asked


def test_no_cache_no_read() -> None:
    world = World()
    world.memory.refresh = True
    assert world.look(resource(annotations={names.REFRESH: "a"}), cache=BUSY).locks == NOT_READ
    assert world.azure.asked == []


def test_a_thousand_caches_of_one_identity_begin_without_a_burst() -> None:
    """The most reads in any second stay what the allowance gives; nothing is forgotten over it."""
    world = World()
    memories = [PassState() for _ in range(200)]
    base = resource().spec.resource_id
    many = [resource({"resourceID": f"{base}{number}"}) for number in range(200)]
    world.now += 1
    for of, memory in zip(many, memories, strict=True):
        world.look(of, memory=memory)
    world.now += 120  # all are due at the same time
    total = 0
    for of, memory in zip(many, memories, strict=True):
        world.look(of, memory=memory)
        total += len(world.azure.asked)
    assert total == BURST
    assert all(memory.next_pass_within is not None for memory in memories)


def test_ages_are_reported() -> None:
    world = World()
    world.complete()
    world.now += 10
    count, age = world.around.ages()["locks"]
    assert count == 1
    assert age >= 10
    assert world.around.ages()["vault_properties"] == (0, 0.0)
