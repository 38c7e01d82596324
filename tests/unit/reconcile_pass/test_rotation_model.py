"""Rotations among crashes, lost answers, portals and restarting pods: what must hold after every step of any story.

`ROTATION_EXAMPLES=5000 pytest tests/unit/reconcile_pass/test_rotation_model.py` tries more stories than the suite does.
`make test` tries a few of them; `make test-all` five times as many.
"""

import copy
import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from secure_redis.api import names
from secure_redis.api.status import UNDER_WAY, RotationPhase
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.plan.actions import (
    Action,
    ApplySecret,
    MarkKey,
    RegenerateKey,
    StoreKey,
)
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark
from tests.builders.rotation_stage import LATE, LISTED, LOST, LOST_DONE, REFUSED, SETTLE, Died, password
from tests.builders.rotations import World, world

REQUESTS = ("please", "emergency-leak", "emergency-force-leak")
CERTAIN = (REFUSED, LOST, LOST_DONE)
FATES: st.SearchStrategy[tuple[type[Action], str]] = st.one_of(
    st.tuples(st.sampled_from([MarkKey, StoreKey, ApplySecret]), st.sampled_from(CERTAIN)),
    st.tuples(st.just(RegenerateKey), st.sampled_from([*CERTAIN, LATE])),
)
CONSUMERS = ("None", "Possible")


TIME = "%Y-%m-%dT%H:%M:%SZ"
PARTS = ("rotation", "credential", "lastHandled", "workloads", "conditions", "cache", "pending", "observedGeneration")


def forged_status(there: World, data: st.DataObject) -> dict[str, Any]:
    """A status in which parts are lost, and others claim what a person who wants a key regenerated would claim."""
    status = copy.deepcopy(there.status)
    for part in data.draw(st.sets(st.sampled_from(PARTS)), label="lost"):
        status.pop(part, None)
    times = st.sampled_from([there.now, there.now - timedelta(days=90), there.now + timedelta(days=1)])
    time = st.one_of(times.map(lambda one: one.strftime(TIME)), st.none())
    asked = st.sampled_from([None, "emergency-forged", "emergency-force-forged", there.annotations.get(names.ROTATE)])
    mark = RegenerationMark.on(there.vault.tags)
    recorded = st.one_of(time, st.just(mark.rotation if mark is not None else None))
    slot = st.sampled_from([*map(str, Slot), None])
    rotation = st.fixed_dictionaries(
        {
            "phase": st.sampled_from([str(phase) for phase in RotationPhase]),
            "target": slot,
            "request": asked,
            "startedAt": time,
            "recordedAt": recorded,
            "completedAt": time,
            "slot": slot,
        }
    )
    version = st.sampled_from([there.vault.version, "f" * 32])
    credential = st.fixed_dictionaries({"slot": slot, "keyVaultVersion": version, "publishedAt": time})
    settled = [
        {"id": name, "kind": "Deployment", "name": name, "injected": True, "uid": facts.uid}
        for name, facts in there.workloads.items()
    ]
    forgeries: dict[str, st.SearchStrategy[Any]] = {
        "rotation": rotation,
        "credential": credential,
        "lastHandled": st.one_of(st.just({}), asked.map(lambda value: {"rotate": value})),
        "workloads": st.just(settled),
    }
    for part in sorted(data.draw(st.sets(st.sampled_from(sorted(forgeries))), label="forged")):
        status[part] = data.draw(forgeries[part], label=part)
    return status


class Rotations(RuleBasedStateMachine):
    """Stories of one resource."""

    world: World

    @initialize(workloads=st.integers(0, 2), unlisted=st.integers(0, 1), others=st.sampled_from(CONSUMERS))
    def begin(self, workloads: int, unlisted: int, others: str) -> None:
        self.world = world(workloads, unlisted, others)
        self.requests = 0
        self.asked: tuple[str, dict[Slot, str]] = ("", {})
        self.backups: list[dict[str, Any]] = [{}]

    # --- the operator and its cluster -------------------------------------------------------------------------------

    @rule(times=st.integers(1, 6), seconds=st.sampled_from([1, 1, 5, 31, 61]))
    def look(self, times: int, seconds: int) -> None:
        """Passes."""
        for _ in range(times):
            self.world.look()
            self.check()
            self.world.pass_time(seconds)

    @rule(times=st.integers(1, 6))
    def look_and_roll(self, times: int) -> None:
        """Passes in a cluster in which every rollout is quick, and a person restarts what is not listed."""
        for _ in range(times):
            self.world.look()
            self.check()
            self.controllers()
            self.world.pass_time(20)

    @rule(number=st.integers(0, 4))
    def crash(self, number: int) -> None:
        """The process ends before one of the writes of a pass; the next one begins immediately."""
        with suppress(Died):
            self.world.look(dies=lambda at: at >= number)
        self.world.pass_time(2)

    @rule(fate=FATES)
    def trouble(self, fate: tuple[type[Action], str]) -> None:
        """The next write of a kind goes wrong."""
        self.world.fate[fate[0]] = fate[1]

    @rule(name=st.sampled_from(LISTED))
    def roll(self, name: str) -> None:
        """One pod of a workload is replaced."""
        if name in self.world.workloads:
            self.world.roll(name)

    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """A pod restarts, wherever its workload is."""
        if self.world.pods:
            self.world.restart(data.draw(st.sampled_from(self.world.pods), label="pod"))

    @rule()
    def new_pod(self) -> None:
        """A person starts an unlisted pod."""
        if len(self.world.pods) < 8:
            self.world.start()

    @rule(name=st.sampled_from([None, *LISTED]), bound=st.booleans())
    def waiting_pod(self, name: str | None, bound: bool) -> None:
        """A pod appears that cannot start: it is gated, or its image cannot be pulled."""
        if len(self.world.pods) < 8 and (name is None or name in self.world.workloads):
            self.world.start_waiting(name, bound=bound, accepted=bound)

    @rule(new=st.booleans())
    def kubelet_reads(self, new: bool) -> None:
        """Containers that waited are created: they get what the Secret holds now. `new`: one of another pod too."""
        if new and len(self.world.pods) < 8:
            self.world.start_waiting()
        for pod in self.world.pods:
            self.world.read(pod)

    @rule()
    def kubelet_reports(self) -> None:
        """Their start is reported, some time later."""
        for pod in self.world.pods:
            self.world.report_start(pod, self.world.now)

    # --- people -----------------------------------------------------------------------------------------------------

    @rule(request=st.sampled_from(REQUESTS))
    def ask(self, request: str) -> None:
        self.requests += 1
        self.world.ask(f"{request}-{self.requests}")
        self.asked = (f"{request}-{self.requests}", dict(self.world.keys))

    @rule()
    def approve(self) -> None:
        self.world.approve()

    @rule(others=st.sampled_from(CONSUMERS))
    def consumers(self, others: str) -> None:
        self.world.other_consumers = others

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.world.pause(paused)

    @rule(slot=st.sampled_from(Slot))
    def portal(self, slot: Slot) -> None:
        self.world.portal(slot)

    @rule(slot=st.sampled_from(Slot))
    def store(self, slot: Slot) -> None:
        """Another party stores a live key in the vault."""
        self.world.store(slot)

    # --- a user who may write the status ----------------------------------------------------------------------------

    @rule()
    def back_up(self) -> None:
        """The status is kept for a restore."""
        self.backups.append(copy.deepcopy(self.world.status))

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """A backup of the status is restored, whatever phase it was taken in."""
        self.world.status = copy.deepcopy(data.draw(st.sampled_from(self.backups), label="backup"))

    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        """A user patches the status: some parts are removed, and some make false claims."""
        self.world.status = forged_status(self.world, data)

    @precondition(lambda self: self.world.rotation is not None)
    @rule(hours=st.sampled_from([1, 49]))
    def wait(self, hours: int) -> None:
        """No pass runs for a while."""
        self.world.pass_time(hours * 3600)

    # --- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "world"):
            return
        observed: set[tuple[str, Slot]] = set()
        for one in self.world.regenerated:
            late = (one.done - one.sent).total_seconds() > SETTLE
            assert one.allowed, f"the {one.slot} key was regenerated although a consumer outside may hold it"
            # A request that was in flight while another party changed a key cannot be called back.
            assert one.forced or late or not one.undisturbed or not one.consumers, (
                f"the {one.slot} key of {one.consumers} was regenerated under them ({one.attempt})"
            )
        for one in self.world.regenerated:
            began = one.attempt.partition("/")[0]
            disturbed = self.world.disturbed.strftime(TIME) >= began
            if not disturbed:
                assert (one.attempt, one.slot) not in observed, (
                    f"the {one.slot} key was regenerated twice ({one.attempt})"
                )
            observed.add((one.attempt, one.slot))
        self.check_requests()
        text = f"{self.world.status} {self.world.events}"
        assert not any(key in text for key in self.world.every_key), "a key is in the status or in an event"

    def check_requests(self) -> None:
        """No request is carried out twice, unless another party changed a key or the vault since it began."""
        began: dict[str, str] = {}
        for one in self.world.regenerated:
            rotation, _, kind, request = one.attempt.split("/")
            if kind == "new" and request != "-" and self.world.disturbed.strftime(TIME) < rotation:
                assert began.setdefault(request, rotation) == rotation, f"a request was carried out twice: {one}"

    def controllers(self) -> None:
        """Every workload rolls; unlisted pods that the status names are restarted by a person."""
        for name in self.world.workloads:
            self.world.roll(name, most=9)
        told = self.world.rotation
        names = told.holders.names if told is not None and told.holders is not None else ()
        for pod in [pod for pod in self.world.pods if pod.name in names]:
            self.world.restart(pod)

    def settle(self, request: str) -> None:
        """Without further disturbance, a request that is there is answered."""
        for _ in range(120):
            self.world.look()
            self.check()
            state = self.world.rotation
            if self.world.handled == request and (state is None or state.phase not in UNDER_WAY):
                self.rest()
                return
            self.controllers()
            self.world.approve()
            waits = self.world.reason == "OverlapNotOver"
            # Quick, so that a rotation can be over before a slow kubelet reports a start.
            self.world.pass_time(49 * 3600 if waits else 8)
        raise AssertionError(f"not done: {self.world.rotation} {self.world.resource().status.workloads}")

    def rest(self) -> None:
        """Check that the published key is live, and that every pod holds it. The next proof finds changes at rest."""
        self.world.pass_time(3600)
        for _ in range(8):
            self.world.look()
            self.controllers()
            self.world.pass_time(20)
        there = self.world
        assert there.secret is not None
        assert there.vault.value is not None
        current = there.vault.value.get_secret_value()
        assert current in there.keys.values(), "the vault holds a dead key"
        assert password(there.secret) == current, "the Secret holds another key than the vault"
        listed = {pod.key for pod in there.pods if pod.of is not None and pod.key}
        assert listed <= {current}, "a pod of a listed workload holds another key than the vault"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        there = self.world
        there.fate.clear()
        there.pass_time(SETTLE)
        there.pause(False)
        if there.reason == "ForceNotAllowed":
            there.other_consumers = "None"  # a person reads it, and decides
        request, leaked = self.asked
        forbidden = request.startswith("emergency-force-") and there.other_consumers != "None"
        if request.startswith("emergency-") and not forbidden:
            self.settle(request)
            assert not set(leaked.values()) & set(there.keys.values()), "a leaked key lives on"
        there.ask("before-last")
        self.settle("before-last")
        before, regenerated = dict(there.keys), len(there.regenerated)
        there.ask("last")
        self.settle("last")
        changed = {slot for slot in Slot if there.keys[slot] != before[slot]}
        assert there.phase == RotationPhase.COMPLETED, there.rotation
        assert len(there.regenerated) - regenerated == len(changed), "one regeneration of each key that changed"
        if there.other_consumers == "None":
            assert changed == set(Slot), "both keys are others"
        else:
            state = there.rotation
            assert state is not None
            assert changed == {Slot(state.slot or "")}, "the old key lives on"


EXAMPLES = int(os.environ.get("ROTATION_EXAMPLES", "25"))


def _stories(number: int) -> settings:
    return settings(
        max_examples=number,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        print_blob=True,
    )


TestRotations: Any = Rotations.TestCase
TestRotations.settings = _stories(EXAMPLES)


@pytest.mark.slow
class TestManyRotations(TestRotations):  # type: ignore[misc]
    """The same, longer."""

    settings = _stories(4 * EXAMPLES)
