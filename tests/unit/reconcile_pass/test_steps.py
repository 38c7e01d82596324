"""A pass enters each step once and in order; it reports each write to the schedule immediately."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.domain import steady_state
from secure_redis.domain.assess import assessment
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan import plan
from secure_redis.domain.plan.actions import Action
from secure_redis.domain.plan.brakes import BrakeLimits
from secure_redis.domain.plan.namespace_limits import NamespaceLimits
from secure_redis.domain.plan.outcomes import Done, Failed
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report import report
from secure_redis.reconciler import reconcile
from secure_redis.reconciler.act import Performed
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.reconciler.reconcile import Reconciler
from tests.builders.passes import OWNER, PROVISION, SETTINGS, cache, observation
from tests.builders.world import AUTHENTICATION, CACHE_ID, NOW, UID

KEY = Key("shop", "orders")


DELETES = {"connection": {"deletionPolicy": "Delete"}}


def body(spec: dict[str, Any] | None = None, *, finalizer: bool = False, version: str = "7") -> dict[str, Any]:
    meta = {"namespace": "shop", "name": "orders", "uid": UID, "generation": 1, "resourceVersion": version}
    finalizers = [names.FINALIZER] if finalizer else []
    return {
        "metadata": {**meta, "finalizers": finalizers},
        "spec": {"resourceID": CACHE_ID, **(spec or {})},
        "status": {},
    }


class World:
    """A reconciler whose collaborators record in `steps` what is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.written: list[str] = []  # resourceVersions, as reported to the schedule
        self.answer = body(DELETES, finalizer=True, version="8")  # of a write to the finalizers
        self.observation = observation()
        self.attributed: list[bool] = []
        self.seconds = 0.0
        self.refusal: WriteFailure | None = None  # what Azure answers to every write
        world: Any = self
        self.reconciler = Reconciler(
            settings=SETTINGS,
            observer=world,
            executor=world,
            brakes=Brakes(
                BrakeLimits(corrections_per_hour=6), version="1", recorded=None, monotonic=lambda: 0.0, metrics=world
            ),
            members=NamespaceMembers(NamespaceLimits()),
            resources=world,
            secrets=world,
            events=world,
            now=lambda: NOW,
            monotonic=lambda: self.seconds,
            written=lambda key, body: self.written.append(body["metadata"]["resourceVersion"]),
        )
        for module, step in ((assessment, "assess"), (plan, "plan"), (report, "report")):
            self._record(monkeypatch, module, step)

    def _record(self, monkeypatch: pytest.MonkeyPatch, module: Any, step: str) -> None:
        made = getattr(module, step)

        def recorded(*given: Any, **more: Any) -> Any:
            self.steps.append(step)
            return made(*given, **more)

        monkeypatch.setattr(module, step, recorded)

    def unchanged(self, *_: Any) -> None:
        self.steps.append("unchanged")

    async def observe(self, *_: Any, attribute_drift: bool = True) -> Observation:
        self.steps.append("observe")
        self.attributed.append(attribute_drift)
        return self.observation

    async def perform(self, _resource: Any, _observed: Any, action: Action, _trigger: str) -> Performed:
        name = type(action).__name__
        self.steps.append(f"act: {name}")
        if self.refusal is not None:
            return Performed(Failed(action, self.refusal))
        return Performed(Done(action), self.answer if name.endswith("Finalizer") else None)

    async def write_status(self, of: Any, _status: Any) -> dict[str, Any] | None:
        self.steps.append(f"write status on {of.resource_version}")
        return body(version="9")

    async def emit(self, *_: Any) -> None: ...

    def served_elsewhere(self, _: Any) -> bool:
        return False

    unclaimed = served_elsewhere

    def brake(self, name: str, engaged: bool) -> None: ...

    def brake_blocked(self, reason: str) -> None: ...


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_each_step_is_entered_once_and_in_order(world: World) -> None:
    await world.reconciler.run_pass(KEY, body(DELETES), "Edit")
    assert world.steps == ["observe", "assess", "plan", "act: AddFinalizer", "report", "write status on 8"]
    assert world.written == ["8", "9"]


async def test_a_finalizer_that_is_not_needed_any_more_goes_and_the_pass_goes_on(world: World) -> None:
    world.answer = body(version="8")
    found = await world.reconciler.run_pass(KEY, body(finalizer=True), "Edit")
    assert world.steps == ["observe", "assess", "plan", "act: RemoveFinalizer", "report", "write status on 8"]
    assert found.after < 1000.0, "the resource is still served"


async def test_without_an_action_the_order_is_the_same(world: World) -> None:
    await world.reconciler.run_pass(KEY, body(), "Edit")
    assert world.steps == ["observe", "assess", "plan", "report", "write status on 7"]


async def test_a_published_secret_is_assessed_before_it_is_reported(world: World) -> None:
    await world.reconciler.run_pass(KEY, body({"authentication": AUTHENTICATION}), "Edit")
    steps = ["observe", "assess", "plan", "act: CreateSecret", "assess", "report", "write status on 7"]
    assert world.steps == steps


async def test_a_resource_that_an_edit_made_unreadable_ends_the_pass(world: World) -> None:
    world.answer = body({"mode": "Never"}, version="8")
    found = await world.reconciler.run_pass(KEY, body({**DELETES, "authentication": AUTHENTICATION}), "Edit")
    assert found == NextPass(5.0, grows_to=600.0)
    assert world.steps == ["observe", "assess", "plan", "act: AddFinalizer"]
    assert world.written == ["8"]  # the next pass starts from it and reports the edit


async def test_a_refused_write_is_held_back_and_reported_as_before(world: World) -> None:
    """A pass may come at any time: what caused it does not decide how often the write is sent."""
    drift = [{"path": "transport.nonTLSPort", "declared": "Disabled", "observed": "Enabled", "class": "Security"}]
    spec = {"mode": "Provision", "provision": PROVISION, "drift": {"correct": ["Security"]}}
    busy = {**body(spec), "status": {"drift": drift}}
    world.observation = observation(cache=cache(tags=OWNER, plaintext_open=True))
    world.refusal = WriteFailure(Reason.BUSY, "Azure is busy with the cache")
    sent, found = [], []
    for second in range(0, 150, 4):
        world.seconds, before = float(second), len(world.steps)
        found.append(await world.reconciler.run_pass(KEY, busy, "Clock"))
        if "act: UpdateCache" in world.steps[before:]:
            sent.append(second)
    assert sent == [0, 8, 20, 40, 80], "a write that is held back spends none of the hour's six corrections"
    assert all(one.failed and one.paced for one in found)
    assert [one.after for one in found[:3]] == [5.0, 1.0, 10.0]
    assert max(one.after for one in found) <= 300.0


async def test_a_steady_resource_is_only_observed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = body()
    await world.reconciler.run_pass(KEY, before, "Edit")
    monkeypatch.setattr(steady_state, "steady", lambda *_: Steady())
    monkeypatch.setattr(world.reconciler, "_write_status", unchanged)
    monkeypatch.setattr(reconcile, "lean", lambda steady: steady)
    await world.reconciler.run_pass(KEY, before, "Clock")
    world.steps.clear()
    found = await world.reconciler.check_steady(KEY, "7")
    assert found is not None
    assert (found.after, found.result) == (300.0, "success")
    assert world.steps == ["observe", "unchanged"]
    kept = world.reconciler._pass_states[KEY].steady
    assert kept is not None
    assert kept[1].observed is world.observation, "the older one would be a second copy of what the readers keep"
    assert world.attributed == [True, True, False]  # the Activity Log is read by whole passes only


@dataclass
class Steady:
    resource = None
    next_pass_in = 300.0
    observed: Observation | None = None

    def matches(self, *_: Any) -> bool:
        return True


async def unchanged(*_: Any) -> bool:
    return False


async def test_a_write_to_a_cache_that_another_pass_wrote_meanwhile_is_not_sent(world: World) -> None:
    """The tag that the other pass wrote is not in this observation: it would be overwritten."""
    drift = [{"path": "transport.nonTLSPort", "declared": "Disabled", "observed": "Enabled", "class": "Security"}]
    spec = {"mode": "Provision", "provision": PROVISION, "drift": {"correct": ["Security"]}}
    mine = {**body(spec), "status": {"drift": drift}}
    world.observation = observation(cache=cache(tags=OWNER, plaintext_open=True))
    observe = world.observe

    async def overtaken(*given: Any, **more: Any) -> Observation:
        writes = world.reconciler._cache_writes
        with writes.write(CacheID.parse(CACHE_ID).key, writes.observe()):
            return await observe(*given, **more)

    world.observe = overtaken  # type: ignore[method-assign]
    found = await world.reconciler.run_pass(KEY, mine, "Clock")
    assert world.steps == ["observe", "assess", "plan"]
    assert found == NextPass(5.0, grows_to=600.0)
    world.observe = observe  # type: ignore[method-assign]
    await world.reconciler.run_pass(KEY, mine, "Clock")
    assert "act: UpdateCache" in world.steps


async def test_no_pass_waits_for_another_one_over_the_same_cache(world: World) -> None:
    """A resource that provisions the cache observes and reports while a follower's vault does not answer."""
    hangs, observe = asyncio.Event(), world.observe

    async def hanging(resource: Any, *given: Any, **more: Any) -> Observation:
        if resource.key.namespace == "follower":
            await hangs.wait()
        return await observe(resource, *given, **more)

    world.observe = hanging  # type: ignore[method-assign, assignment]
    spec = {"mode": "Provision", "provision": PROVISION}
    followers = []
    for number in range(8):
        other = body(spec)
        other["metadata"] |= {"namespace": "follower", "name": f"f{number}", "uid": f"u{number}"}
        key = Key("follower", f"f{number}")
        followers.append(asyncio.create_task(world.reconciler.run_pass(key, other, "Edit")))
    await asyncio.sleep(0)
    await world.reconciler.run_pass(KEY, body(spec), "Edit")
    assert not any(task.done() for task in followers)
    hangs.set()
    await asyncio.gather(*followers)


async def test_a_pass_that_took_too_long_begins_no_write(world: World) -> None:
    """The write is reported as not made, so that no condition claims it."""
    observe = world.observe

    async def slow(*given: Any, **more: Any) -> Observation:
        world.seconds += 361.0
        return await observe(*given, **more)

    world.observe = slow  # type: ignore[method-assign]
    reported: list[Any] = []
    write = world.write_status

    async def write_status(of: Any, status: Any) -> Any:
        reported.append(status)
        return await write(of, status)

    world.write_status = write_status  # type: ignore[method-assign, assignment]
    found = await world.reconciler.run_pass(KEY, body({"authentication": AUTHENTICATION}), "Edit")
    assert not any(step.startswith("act") for step in world.steps)
    assert found.failed
    conditions = {one.type: (one.status, one.reason) for one in reported[0].conditions}
    assert conditions["CredentialsSynced"] == ("False", Reason.PASS_DEADLINE)


async def test_the_result_of_a_pass_is_good_for_three_intervals(world: World) -> None:
    found = await world.reconciler.run_pass(KEY, body({"drift": {"intervalSeconds": 1000}}), "Edit")
    assert found.good_for == 3000.0
