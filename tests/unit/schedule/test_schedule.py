"""The schedule, in virtual time (looptime): nothing here sleeps for real."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.kube.resource_bodies import LARGEST
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.schedule.backoff import Backoff
from secure_redis.schedule.schedule import Schedule, Snapshot, Trigger
from tests.unit.schedule.support import ORDERS, STEADY, Passes, body, running

pytestmark = pytest.mark.looptime


async def test_an_edit_is_checked_at_once_and_again_after_its_interval() -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(650)
    assert passes.times == [0, 300, 600]
    assert [trigger for *_, trigger in passes.observed] == [Trigger.EDIT, Trigger.CLOCK, Trigger.CLOCK]


async def test_a_sufficient_check_replaces_the_pass() -> None:
    passes, checked, ended = Passes(), [], []

    async def check(key: Key, version: str) -> NextPass | None:
        checked.append((key, version))
        return NextPass(100.0) if version == "2" else None  # steady since its last pass

    schedule = Schedule(passes, check_steady=check, backoff=STEADY, on_pass=lambda *told: ended.append(told[:3]))
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(1)
        schedule.written(ORDERS, body(version=2))
        await asyncio.sleep(450)
        assert passes.versions == ["1"]
        schedule.wake(ORDERS, body(version=3, generation=2), Trigger.EDIT)
        await asyncio.sleep(1)
    assert passes.versions == ["1", "3"]
    assert checked == [(ORDERS, "1"), (ORDERS, "2"), (ORDERS, "2"), (ORDERS, "3")]
    assert [trigger for _, trigger, _ in ended] == [Trigger.EDIT, Trigger.CLOCK, Trigger.CLOCK, Trigger.EDIT]


async def test_the_operators_own_writes_wake_no_resource() -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(10)
        changed = body(version=2, finalizers=[names.FINALIZER], annotations={"kubectl.kubernetes.io/x": "y"})
        schedule.wake(ORDERS, {**changed, "status": {"observedGeneration": 1}}, Trigger.EDIT)
        await asyncio.sleep(10)
        assert len(passes.observed) == 1
        schedule.wake(ORDERS, body(version=3, annotations={names.REFRESH: "1"}), Trigger.EDIT)
        await asyncio.sleep(1)
    assert passes.versions == ["1", "3"]


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 2},
        {"deletionTimestamp": "2026-11-24T10:00:00Z"},
        {"labels": {f"{names.GROUP}/x": "y"}},
        {"uid": "u2"},
    ],
)
async def test_a_change_by_others_wakes(change: dict[str, Any]) -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(10)
        schedule.wake(ORDERS, body(version=2, **change), Trigger.EDIT)
        await asyncio.sleep(1)
    assert passes.versions == ["1", "2"]


CLAIMED: dict[str, Any] = {"annotations": {names.OPERATOR: "system/lease"}, "finalizers": [names.FINALIZER]}


@pytest.mark.parametrize(
    "left",
    [
        {"annotations": CLAIMED["annotations"]},
        {"finalizers": CLAIMED["finalizers"]},
        {"annotations": {names.OPERATOR: "other/lease"}, "finalizers": CLAIMED["finalizers"]},
    ],
    ids=["finalizer removed", "claim removed", "claim changed"],
)
async def test_a_removed_finalizer_or_claim_wakes(left: dict[str, Any]) -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(**CLAIMED), Trigger.EDIT)
        await asyncio.sleep(10)
        schedule.wake(ORDERS, body(version=2, **left), Trigger.EDIT)
        await asyncio.sleep(1)
    assert passes.versions == ["1", "2"]


async def test_a_pass_that_removes_the_finalizer_causes_no_other_one() -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(**CLAIMED), Trigger.EDIT)
        await asyncio.sleep(10)
        schedule.written(ORDERS, body(version=2, annotations=CLAIMED["annotations"]))
        await asyncio.sleep(10)
        assert passes.versions == ["1"]
        schedule.written(ORDERS, body(version=3))  # the claim was removed while the pass wrote
        await asyncio.sleep(10)
    assert passes.versions == ["1", "3"]


async def test_wakes_during_a_pass_cause_exactly_one_more_with_the_newest_body() -> None:
    async def slow(key: Key) -> NextPass:
        await asyncio.sleep(5)
        return NextPass(300.0)

    passes = Passes(slow)
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(1)
        for version in (2, 3, 4):
            schedule.wake(ORDERS, body(version=version, generation=version), Trigger.EDIT)
        schedule.wake(ORDERS, None, Trigger.SECRET)
        await asyncio.sleep(100)
    assert passes.versions == ["1", "4"]
    assert passes.times == [0, 5]
    assert passes.observed[1][3] is Trigger.EDIT


async def test_no_pass_starts_from_a_body_older_than_our_own_write() -> None:
    async def writes(key: Key) -> NextPass:
        schedule.written(key, body(version=10))
        return NextPass(300.0)

    passes = Passes(writes)
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(1)
        schedule.wake(ORDERS, body(version=9, annotations={names.REFRESH: "old"}), Trigger.EDIT)
        await asyncio.sleep(1)
        schedule.wake(ORDERS, None, Trigger.SECRET)
        await asyncio.sleep(1)
    assert passes.versions == ["1", "10"]


async def test_an_edit_that_comes_back_with_our_write_is_not_lost() -> None:
    async def writes(key: Key) -> NextPass:
        schedule.written(key, body(version=10, generation=2))
        return NextPass(300.0)

    passes = Passes(writes)
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(1)
        schedule.wake(ORDERS, body(version=10, generation=2), Trigger.EDIT)  # the watch, late
        await asyncio.sleep(10)
    assert passes.versions == ["1", "10"]


async def test_failures_back_off_and_success_resets() -> None:
    failing = True

    async def answer(key: Key) -> NextPass:
        return NextPass(0.0, failed=True) if failing else NextPass(300.0)

    passes = Passes(answer)
    schedule = Schedule(passes, backoff=STEADY, rng=Highest())
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(8 + 16 + 32 + 64 + 64 + 1)
        assert passes.times == [0, 8, 24, 56, 120, 184]
        assert passes.observed[1][3] is Trigger.RETRY
        failing = False
        await asyncio.sleep(64)
        failing = True
        await asyncio.sleep(309)
    assert passes.times[-3:] == [248, 548, 556], "after a success back-off begins again"


async def test_a_failing_resource_does_not_delay_the_others() -> None:
    passes = Passes(NextPass(30.0, failed=True))
    schedule = Schedule(passes, backoff=STEADY, rng=Highest())
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(8 + 16 + 30 + 30 + 1)
    assert passes.times == [0, 8, 24, 54, 84]


async def test_a_refusal_of_the_api_server_backs_off_to_the_limit() -> None:
    passes = Passes(NextPass(0.0, failed=True))
    schedule = Schedule(passes, backoff=STEADY, rng=Highest())
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(8 + 16 + 32 + 64 + 64 + 1)
    assert gaps(passes) == [8, 16, 32, 64, 64]


async def test_what_a_person_must_change_is_checked_less_and_less_often() -> None:
    passes = Passes(NextPass(15.0, grows_to=100.0))
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(15 + 30 + 60 + 100 + 100 + 1)
        assert gaps(passes) == [15, 30, 60, 100, 100]
        schedule.wake(ORDERS, body(version=2, generation=2), Trigger.EDIT)
        await asyncio.sleep(16)
    assert gaps(passes)[-1] == 15, "an edit is no repeat"


async def test_a_pass_that_is_paced_already_comes_at_its_time() -> None:
    passes = Passes(NextPass(40.0, failed=True, paced=True))
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(121)
    assert gaps(passes) == [40, 40, 40]
    assert passes.observed[1][3] is Trigger.RETRY


def gaps(passes: Passes) -> list[float]:
    return [round(later - earlier, 3) for earlier, later in itertools.pairwise(passes.times)]


async def test_retry_after_is_the_earliest_time() -> None:
    passes = Passes(NextPass(0.0, failed=True, retry_after=100.0))
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(150)
    assert passes.times == [0, 100]


async def test_an_exception_is_a_failed_pass_and_others_continue(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(key: Key) -> NextPass:
        if key == ORDERS:
            raise RuntimeError("canary-of-an-exception")
        return NextPass(50.0)

    passes = Passes(answer)
    other = Key("shop", "sessions")
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        schedule.wake(other, body(other), Trigger.EDIT)
        await asyncio.sleep(60)
    assert sum(key == other for _, key, *_ in passes.observed) == 2
    assert sum(key == ORDERS for _, key, *_ in passes.observed) >= 3
    assert "canary-of-an-exception" not in caplog.text
    assert "RuntimeError" in str([vars(record) for record in caplog.records])


async def test_a_fatal_exception_ends_the_run() -> None:
    class Lost(Exception):
        pass

    async def answer(key: Key) -> NextPass:
        raise Lost

    schedule = Schedule(Passes(answer), backoff=STEADY, fatal=(Lost,))
    task = asyncio.create_task(schedule.run())
    schedule.wake(ORDERS, body(), Trigger.EDIT)
    with pytest.raises(Lost):
        await task


async def test_namespaces_take_turns_and_passes_are_bounded() -> None:
    at_once = most = 0

    async def answer(key: Key) -> NextPass:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(1)
        at_once -= 1
        return NextPass(1e6)

    passes = Passes(answer)
    schedule = Schedule(passes, backoff=Backoff(parallel=2, jitter=0.0, spread=1e9))
    for number in range(20):
        key = Key("big", f"c{number}")
        schedule.wake(key, body(key), Trigger.EDIT)
    small = Key("small", "one")
    schedule.wake(small, body(small), Trigger.EDIT)
    async with running(schedule):
        await asyncio.sleep(30)
    order = [key for _, key, *_ in passes.observed]
    assert len(order) == 21
    assert most == 2, "one of the two places stays free for a namespace that has none"
    assert order.index(small) <= 2, "a namespace with one resource does not wait for one with twenty"


async def test_first_passes_are_spread() -> None:
    passes = Passes(NextPass(600.0))
    schedule = Schedule(passes, backoff=Backoff(parallel=1000), rng=random.Random(7))  # noqa: S311
    keys = [Key("shop", f"c{number}") for number in range(200)]
    async with running(schedule):
        for key in keys:
            schedule.wake(key, body(key), Trigger.EDIT)
        await asyncio.sleep(1)
        assert len(passes.observed) == 200
        await asyncio.sleep(700)
    start = passes.observed[0][0]
    second = [at - start for at, *_ in passes.observed[200:400]]
    assert min(second) >= 300 - 1
    fullest = max(sum(1 for at in second if low <= at < low + 30) for low in range(300, 660, 30))
    assert fullest < 50, "no herd"


async def test_secret_wakes_keep_a_distance() -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        for _ in range(50):
            await asyncio.sleep(0.1)
            schedule.wake(ORDERS, None, Trigger.SECRET)
        await asyncio.sleep(0.5)
    assert 5 <= len(passes.observed) <= 7, "another writer of the Secret does not cause a busy loop"


async def test_a_secret_of_an_unknown_resource_wakes_no_resource() -> None:
    passes = Passes()
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.wake(ORDERS, None, Trigger.SECRET)
        await asyncio.sleep(10)
    assert passes.observed == []


async def test_a_forgotten_resource_is_not_reconciled_and_is_reported_after_its_last_pass() -> None:
    async def slow(key: Key) -> NextPass:
        await asyncio.sleep(5)
        assert gone == []
        return NextPass(10.0)

    gone: list[Key] = []
    passes = Passes(slow)
    schedule = Schedule(passes, backoff=STEADY, on_gone=gone.append)
    async with running(schedule):
        schedule.event(None, body())
        await asyncio.sleep(1)
        schedule.event("DELETED", body(version=2))
        await asyncio.sleep(100)
        assert len(passes.observed) == 1
        assert gone == [ORDERS]
        assert schedule.resources == 0


async def test_a_resource_of_the_same_name_begins_after_the_last_pass_of_the_former() -> None:
    at_once = 0

    async def slow(key: Key) -> NextPass:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        await asyncio.sleep(5)
        at_once -= 1
        return NextPass(1000.0)

    passes = Passes(slow)
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        schedule.event("ADDED", body())
        await asyncio.sleep(1)
        schedule.event("DELETED", body(version=2))
        schedule.event("ADDED", body(version=3, uid="u2"))
        await asyncio.sleep(50)
    assert passes.versions == ["1", "3"]
    assert passes.times == [0, 5]


async def test_resync_finds_lost_deletions_and_lost_edits() -> None:
    kept, lost, fresh = Key("a", "kept"), Key("a", "lost"), Key("a", "fresh")
    gone: list[Key] = []

    async def relist() -> AsyncIterator[Snapshot]:
        yield Snapshot([], "60")
        yield Snapshot([body(kept, version=50, generation=2)], "62")

    passes = Passes(NextPass(float("inf")))
    schedule = Schedule(passes, backoff=STEADY, relist=relist, on_gone=gone.append)
    async with running(schedule):
        schedule.event(None, body(kept, version=5))
        schedule.event(None, body(lost, version=6))
        schedule.event("ADDED", body(fresh, version=61))
        await asyncio.sleep(700)
    assert gone == [lost]
    assert [(key, version) for _, key, version, _ in passes.observed[3:]] == [(kept, "50")]


async def test_namespaces_with_resources_are_reported() -> None:
    told: list[set[str]] = []
    schedule = Schedule(Passes(), backoff=STEADY, on_namespaces=told.append)
    schedule.event("ADDED", body(Key("a", "1")))
    schedule.event("ADDED", body(Key("a", "2")))
    schedule.event("ADDED", body(Key("b", "1")))
    schedule.event("DELETED", body(Key("a", "1"), version=2))
    schedule.event("DELETED", body(Key("a", "2"), version=2))
    assert told == [{"a"}, {"a", "b"}, {"b"}]


async def test_a_namespace_stays_where_a_resource_is_created_again() -> None:
    announced: list[set[str]] = []
    ends = asyncio.Event()

    async def answer(key: Key) -> NextPass:
        await ends.wait()
        return NextPass(300.0)

    schedule = Schedule(Passes(answer), backoff=STEADY, on_namespaces=announced.append)
    async with running(schedule):
        schedule.event("ADDED", body())
        await asyncio.sleep(1)
        schedule.event("DELETED", body(version=2))
        schedule.event("ADDED", body(version=3, uid="u2"))
        ends.set()
        await asyncio.sleep(1)
        assert announced == [{"shop"}]
        schedule.event("DELETED", body(version=4, uid="u2"))
        await asyncio.sleep(1)
    assert announced == [{"shop"}, set()]


async def test_what_the_clock_makes_due_after_a_long_wait_starts_together() -> None:
    passes = Passes(NextPass(100.1))
    schedule = Schedule(passes, backoff=STEADY)
    async with running(schedule):
        began = asyncio.get_running_loop().time()
        for number in range(4):
            key = Key("shop", f"r{number}")
            schedule.wake(key, body(key), Trigger.EDIT)
            await asyncio.sleep(0.1)
        await asyncio.sleep(150)
    begun = {round(at - began, 3) for at, *_, trigger in passes.observed if trigger is Trigger.CLOCK}
    assert len(begun) == 1
    assert 100.1 <= begun.pop() <= 100.1 + 0.3 + 0.5


class Highest(random.Random):
    """Jitter at its upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


async def test_a_namespace_whose_passes_hang_leaves_places_for_others() -> None:
    stuck = asyncio.Event()

    async def answer(key: Key) -> NextPass:
        if key.namespace == "hangs":
            await stuck.wait()
        return NextPass(10.0)

    passes = Passes(answer)
    schedule = Schedule(passes, backoff=Backoff(parallel=4, jitter=0.0, spread=1e9))
    async with running(schedule):
        for number in range(8):
            key = Key("hangs", f"r{number}")
            schedule.wake(key, body(key), Trigger.EDIT)
        await asyncio.sleep(1)
        assert schedule.waiting == {"hangs": 5}
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(35)
        assert len([key for _, key, *_ in passes.observed if key == ORDERS]) == 4
        stuck.set()
        await asyncio.sleep(5)
        assert schedule.waiting == {}
        assert {key for _, key, *_ in passes.observed if key != ORDERS} == {Key("hangs", f"r{n}") for n in range(8)}


async def test_a_body_that_is_too_large_to_be_held_is_read_for_the_pass() -> None:
    reads: list[Key] = []
    large = body(version=1) | {"spec": {"waivers": "w" * LARGEST}}

    async def read(key: Key) -> Any:
        reads.append(key)
        return None if len(reads) > 2 else large

    passes = Passes(NextPass(10.0))
    schedule = Schedule(passes, backoff=STEADY, read=read)
    async with running(schedule):
        schedule.event("ADDED", large)
        await asyncio.sleep(15)
        assert (reads, passes.versions) == ([ORDERS, ORDERS], ["1", "1"])
        await asyncio.sleep(10)
        assert len(reads) > 2, "without a body there is no pass, and it is tried again"
        assert len(passes.versions) == 2
        schedule.event("MODIFIED", body(version=2, generation=2))
        await asyncio.sleep(5)
    assert passes.versions[2:] == ["2"], "a small one is held again"
