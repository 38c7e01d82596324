"""The elector's judgement of time, with a clock that the test moves."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from secure_redis.kube.client import ApiFailure
from secure_redis.kube.lease import Elector, LeadershipLost, LeaseSettings

SETTINGS = LeaseSettings("ops", duration=15, renew_deadline=10, retry=2)
pytestmark = pytest.mark.looptime


class Leases:
    """One Lease as the API server keeps it: versions, conflicts, and faults on demand."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.version = 0
        self.fault: ApiFailure | None = None
        self.hang = False
        self.slow = 0.0  # seconds until a write is answered

    async def get(self, path: str) -> dict[str, Any]:
        await self._trouble()
        if self.stored is None:
            raise ApiFailure(404, "NotFound", "none")
        return self.stored

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        await self._trouble()
        await asyncio.sleep(self.slow)
        if self.stored is not None:
            raise ApiFailure(409, "AlreadyExists", "there")
        return self._store(body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        await self._trouble()
        if self.stored is None or body["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise ApiFailure(409, "Conflict", "changed")
        return self._store(body)

    def rival(self, holder: str = "rival") -> None:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
        self._store({"metadata": {}, "spec": spec})

    def _store(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.stored = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.stored

    async def _trouble(self) -> None:
        if self.hang:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def leases() -> Leases:
    return Leases()


class Lag:
    """How late the passes' event loop is, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0


def elector(leases: Leases, name: str = "me", changes: list[bool] | None = None, lag: Lag | None = None) -> Elector:
    late = lag or Lag()
    return Elector(
        leases,  # type: ignore[arg-type]
        name,
        SETTINGS,
        clock=lambda: asyncio.get_running_loop().time(),
        on_change=(changes if changes is not None else []).append,
        lag=lambda: late.seconds,
    )


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_free_lease_is_acquired_and_renewed(leases: Leases) -> None:
    changes: list[bool] = []
    me = elector(leases, changes=changes)
    with pytest.raises(LeadershipLost):
        me.check()
    await me.acquire()
    holding = asyncio.create_task(me.hold())
    for _ in range(10):
        await asyncio.sleep(10)
        me.check()
    assert not holding.done()
    holding.cancel()
    await me.release()
    assert leases.stored is not None
    assert leases.stored["spec"]["holderIdentity"] == ""
    assert changes == [True, False]
    with pytest.raises(LeadershipLost):
        me.check()


async def test_a_rival_that_renews_is_never_overtaken_one_that_does_not_is(leases: Leases) -> None:
    leases.rival()
    me = elector(leases)
    acquiring = asyncio.create_task(me.acquire())
    for _ in range(20):
        await asyncio.sleep(10)
        leases.rival()
    assert not acquiring.done()
    started = now()
    await acquiring
    assert 15 <= now() - started <= 15 + 2 * 2.4
    assert leases.stored is not None
    assert leases.stored["spec"]["leaseTransitions"] == 1


@pytest.mark.parametrize("trouble", ["refused", "hung", "error"])
async def test_without_the_api_server_the_leader_stops_before_others_may_begin(leases: Leases, trouble: str) -> None:
    me = elector(leases)
    await me.acquire()
    started = now()
    if trouble == "hung":
        leases.hang = True
    else:
        code = 0 if trouble == "refused" else 500
        leases.fault = ApiFailure(code, "Unreachable", "no")
    async with asyncio.timeout(100):
        await me.hold()
    assert now() - started <= SETTINGS.renew_deadline + 0.1
    with pytest.raises(LeadershipLost):
        me.check()


async def test_the_deadline_counts_from_before_the_request(leases: Leases) -> None:
    """Others count from when the API server stored it, which may be long before the answer arrives."""
    leases.slow = 4.0
    me = elector(leases)
    started = now()
    await me.acquire()
    assert now() - started == pytest.approx(4)
    await asyncio.sleep(started + SETTINGS.renew_deadline - 0.1 - now())
    me.check()
    await asyncio.sleep(0.2)
    with pytest.raises(LeadershipLost):
        me.check()


async def test_a_leader_that_wakes_up_past_its_deadline_writes_nothing(leases: Leases) -> None:
    """It was frozen, with its clock of the boot time going on."""
    me = elector(leases)
    await me.acquire()
    before = leases.version
    holding = asyncio.create_task(me.hold())
    await asyncio.sleep(SETTINGS.retry / 2)
    me._clock = lambda: now() + 100
    async with asyncio.timeout(30):
        await holding
    assert leases.version == before
    with pytest.raises(LeadershipLost):
        me.check()


async def test_a_standby_does_not_wait_for_an_answer_that_does_not_come(leases: Leases) -> None:
    leases.hang = True
    me = elector(leases)
    acquiring = asyncio.create_task(me.acquire())
    await asyncio.sleep(1)
    leases.hang = False
    async with asyncio.timeout(20):
        await acquiring
    me.check()


async def test_a_release_that_is_not_answered_does_not_delay_the_end(leases: Leases) -> None:
    me = elector(leases)
    await me.acquire()
    leases.hang = True
    async with asyncio.timeout(20):
        await me.release()


async def test_a_short_fault_does_not_end_leadership(leases: Leases) -> None:
    me = elector(leases)
    await me.acquire()
    holding = asyncio.create_task(me.hold())
    leases.fault = ApiFailure(500, "InternalError", "no")
    await asyncio.sleep(7)
    leases.fault = None
    await asyncio.sleep(30)
    me.check()
    assert not holding.done()
    holding.cancel()


async def test_a_rival_in_the_record_ends_leadership_at_once(leases: Leases) -> None:
    me = elector(leases)
    await me.acquire()
    leases.rival()
    started = now()
    await me.hold()
    assert now() - started <= SETTINGS.retry + 0.1
    with pytest.raises(LeadershipLost):
        me.check()
    await me.release()
    assert leases.stored is not None
    assert leases.stored["spec"]["holderIdentity"] == "rival", "the Lease of another is not given back"


@pytest.mark.parametrize(("duration", "deadline", "retry"), [(10, 10, 2), (15, 2, 2), (15, 10, 0)])
def test_times_must_fit(duration: int, deadline: float, retry: float) -> None:
    with pytest.raises(ValueError, match="retry"):
        LeaseSettings("ops", duration=duration, renew_deadline=deadline, retry=retry)


async def test_annotations_outlive_the_process_and_are_read_before_they_are_written(leases: Leases) -> None:
    first = elector(leases)
    await first.acquire()
    assert first.recorded is None  # there was no Lease
    first.annotations = lambda: {"a": "1"}
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(5)
    holding.cancel()
    await first.release()
    second = elector(leases, "other")
    second.annotations = lambda: {"b": "2"}
    await second.acquire()
    assert second.recorded == {"a": "1"}
    assert leases.stored is not None
    assert leases.stored["metadata"]["annotations"] == {"a": "1", "b": "2"}
    holding = asyncio.create_task(second.hold())
    await asyncio.sleep(5)
    holding.cancel()
    assert second.recorded == {"a": "1"}


async def test_a_lease_that_went_back_in_time_ends_leadership(leases: Leases) -> None:
    """A restore of etcd that takes less time than the Lease lasts."""
    me = elector(leases)
    leases.version = 40
    await me.acquire()
    backup = dict(leases.stored or {})
    holding = asyncio.create_task(me.hold())
    await asyncio.sleep(5)
    assert not holding.done()
    leases.stored = backup
    await asyncio.sleep(SETTINGS.retry + 0.1)
    assert holding.done()
    with pytest.raises(LeadershipLost):
        me.check()


async def test_a_lease_that_the_backup_does_not_have_ends_leadership(leases: Leases) -> None:
    me = elector(leases)
    leases.version = 40
    await me.acquire()
    holding = asyncio.create_task(me.hold())
    leases.stored, leases.version = None, 10
    await asyncio.sleep(SETTINGS.retry + 0.1)
    assert holding.done()


async def test_a_lease_that_was_deleted_is_taken_again(leases: Leases) -> None:
    me = elector(leases)
    await me.acquire()
    holding = asyncio.create_task(me.hold())
    leases.stored = None
    await asyncio.sleep(30)
    me.check()
    assert not holding.done()
    holding.cancel()


async def test_a_slow_event_loop_costs_nothing_and_a_hung_one_the_leadership(leases: Leases) -> None:
    lag = Lag()
    me = elector(leases, lag=lag)
    await me.acquire()
    holding = asyncio.create_task(me.hold())
    lag.seconds = SETTINGS.longest_stall - 1
    await asyncio.sleep(3 * SETTINGS.duration)
    me.check()
    assert not holding.done()
    lag.seconds = SETTINGS.longest_stall
    async with asyncio.timeout(100):
        await holding
    with pytest.raises(LeadershipLost):
        me.check()
    await me.release()
    assert leases.stored is not None
    assert leases.stored["spec"]["holderIdentity"] == "me", "a request may still be under way: the Lease expires"


def test_the_shipped_times_give_a_hung_event_loop_a_minute() -> None:
    """As long as the kubelet waits before it restarts the pod: 6 probes, 10 s apart (the chart's livenessProbe)."""
    assert LeaseSettings("ops").longest_stall == 60


async def test_a_standby_whose_event_loop_is_blocked_does_not_take_the_lease(leases: Leases) -> None:
    lag = Lag()
    lag.seconds = SETTINGS.renew_deadline
    me = elector(leases, lag=lag)
    acquiring = asyncio.create_task(me.acquire())
    await asyncio.sleep(60)
    assert not acquiring.done()
    assert leases.stored is None
    lag.seconds = 0.0
    await acquiring
    me.check()
