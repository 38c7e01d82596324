"""An unexpected answer from outside is Unknown in one part of the observation, and never ends the pass."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.observation import Observation, changed
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube.client import ApiFailure
from secure_redis.kube.history import HistoryRewritten
from secure_redis.kube.lease import LeadershipLost
from secure_redis.reconciler.edge import AZURE_SECONDS, KUBERNETES_SECONDS, attempted, guarded, reading_within
from secure_redis.reconciler.observe.observer import Observer
from secure_redis.reconciler.pass_state import PassState
from tests.builders.passes import observation, resource
from tests.builders.world import AUTHENTICATION, IDENTITY, NOW

SECRET = "cGFzc3dvcmQtdGhhdC1pcy1zZWNyZXQ"


async def raising(error: Exception) -> int:
    raise error


async def hanging() -> int:
    await asyncio.Event().wait()
    return 1


async def test_an_answer_passes_as_it_is() -> None:
    async def answer() -> int:
        return 7

    assert await guarded(answer(), "the cache") == 7


@pytest.mark.parametrize("error", [OverflowError(SECRET), RecursionError(SECRET), ValueError(SECRET), OSError(SECRET)])
async def test_an_unexpected_exception_is_unknown_and_its_text_goes_nowhere(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    found = await guarded(raising(error), "the cache")
    name = type(error).__name__
    assert found == Unknown(Reason.INTERNAL_ERROR, f"the operator failed to read the cache ({name})")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    logged: Any = caplog.records[0]
    assert (logged.error, logged.what) == (name, "the cache")
    assert "raising" in logged.stack
    assert SECRET not in str(vars(logged)) + caplog.text


async def test_an_unexpected_exception_of_a_write_leaves_open_whether_it_was_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = await attempted(raising(KeyError(SECRET)), "StoreKey")
    assert found == WriteFailure(Reason.INTERNAL_ERROR, "the operator failed at StoreKey (KeyError)", maybe_done=True)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("edge", [guarded, attempted])
@pytest.mark.parametrize("error", [LeadershipLost("x"), HistoryRewritten(), ApiFailure(500, "InternalError", "x")])
async def test_what_ends_the_process_or_the_pass_is_passed_on(edge: Any, error: Exception) -> None:
    with pytest.raises(type(error)):
        await edge(raising(error), "the cache")


async def test_a_cancelled_pass_is_cancelled() -> None:
    task = asyncio.create_task(guarded(hanging(), "the cache"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.looptime
async def test_a_read_is_cut_off_at_the_deadline_and_the_next_one_at_once() -> None:
    late = Unknown(Reason.PASS_DEADLINE, "reading the cache took longer than a reconcile may take")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with reading_within(10.0):
        assert await guarded(hanging(), "the cache") == late
        assert await guarded(hanging(), "the cache") == late
        assert loop.time() - began == 10.0
    assert await guarded(asyncio.sleep(100.0, 7), "the cache") == 7, "outside a pass there is no deadline"


# --- the parts of an observation --------------------------------------------------------------------------------------


class Readers:
    """Every reader of the observer. `wrong`: what happens in some of them instead, by name."""

    def __init__(self, **wrong: Callable[[], Awaitable[Any]]) -> None:
        self.wrong = wrong
        self.read: list[str] = []

    async def one(self, name: str, observed: Observation, **found: Any) -> Observation:
        self.read.append(name)
        if name in self.wrong:
            await self.wrong[name]()
        return changed(observed, **found)

    def observer(self) -> Observer:
        given = observation(vault=observation().vault)
        return Observer(
            namespaces=_Namespaces(),  # type: ignore[arg-type]
            identity=_Identity(self),  # type: ignore[arg-type]
            services={Service.REDIS: _Reader(self, "service", cache=given.cache)},
            endpoint=_Endpoint(self),  # type: ignore[arg-type]
            keys=_Reader(self, "keys", vault=given.vault),  # type: ignore[arg-type]
            governance=_Reader(self, "governance", locks=()),  # type: ignore[arg-type]
            kubernetes=_Kubernetes(self),  # type: ignore[arg-type]
            writers=_Writers(self),  # type: ignore[arg-type]
        )


class _Reader:
    def __init__(self, readers: Readers, name: str, **found: Any) -> None:
        self.readers, self.name, self.found = readers, name, found

    async def read(self, _resource: SecureRedisCache, observed: Observation, *_: Any) -> Observation:
        return await self.readers.one(self.name, observed, **self.found)

    def forget(self, _: Any) -> None: ...


class _Namespaces:
    async def terminating(self, *_: Any, **__: Any) -> bool:
        return False


class _Identity:
    def __init__(self, readers: Readers) -> None:
        self.readers = readers

    async def read(self, _: Any) -> Any:
        await self.readers.one("identity", observation())
        return IDENTITY


class _Endpoint:
    def __init__(self, readers: Readers) -> None:
        self.readers = readers

    def read(self, _resource: Any, observed: Observation, *_: Any) -> Observation:
        self.readers.read.append("endpoint")
        if "endpoint" in self.readers.wrong:
            raise ZeroDivisionError
        return observed

    def forget(self, _: Any) -> None: ...


class _Kubernetes(_Reader):
    def __init__(self, readers: Readers) -> None:
        super().__init__(readers, "kubernetes", workloads=())

    async def read_secrets(self, _resource: SecureRedisCache, observed: Observation, *_: Any) -> Observation:
        return await self.readers.one("secrets", observed, secret=None)


class _Writers(_Reader):
    def __init__(self, readers: Readers) -> None:
        super().__init__(readers, "writers")


async def wrong() -> None:
    raise ZeroDivisionError


ALL = ["secrets", "identity", "service", "endpoint", "keys", "governance", "kubernetes", "writers"]
PARTS: dict[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "service": ("cache",),
    "endpoint": ("endpoint",),
    "keys": ("vault", "keys", "authentication"),
    "governance": ("locks", "role_assignments", "diagnostics", "changes"),
    "secrets": ("secret", "former_secrets"),
    "kubernetes": ("workloads", "consumers", "secret_users"),
    "writers": (),
}


@pytest.mark.parametrize("reader", ALL)
async def test_a_reader_that_fails_hides_its_own_part_and_no_other(
    reader: str, caplog: pytest.LogCaptureFixture
) -> None:
    readers = Readers(**{reader: wrong})
    of = resource({"authentication": AUTHENTICATION})
    found = await readers.observer().observe(of, PassState(), NOW)
    for field in PARTS[reader]:
        part = getattr(found, field)
        assert isinstance(part, Unknown), field
        assert part.reason is Reason.INTERNAL_ERROR
        assert "ZeroDivisionError" in part.message
    assert readers.read == (["secrets", "identity", "kubernetes", "writers"] if reader == "identity" else ALL)
    assert reader in {"identity", "service"} or isinstance(found.cache, Cache)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


@pytest.mark.looptime
@pytest.mark.parametrize("reader", ["identity", "service", "keys", "governance"])
async def test_a_reader_that_hangs_leaves_time_for_kubernetes(reader: str) -> None:
    readers = Readers(**{reader: hanging})
    loop = asyncio.get_running_loop()
    began = loop.time()
    found = await readers.observer().observe(resource({"authentication": AUTHENTICATION}), PassState(), NOW)
    assert AZURE_SECONDS <= loop.time() - began <= AZURE_SECONDS + KUBERNETES_SECONDS
    part = getattr(found, PARTS[reader][0])
    assert isinstance(part, Unknown)
    assert part.reason is Reason.PASS_DEADLINE
    assert found.secret is None, "the Secret was read"
    assert found.workloads == (), "the workloads were read"
