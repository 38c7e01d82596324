"""Whether another install still runs: judged by the time between own reads of its Lease, whatever the claim says."""

from typing import Any

import pytest

from secure_redis.kube.client import ApiFailure
from secure_redis.kube.installs import Installs, Standing

CLAIM = "elsewhere/secure-redis-operator"


class Leases:
    """The Lease of the other install, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.version = 1
        self.holder = "pod-1"
        self.duration: Any = 15
        self.fault: ApiFailure | None = None
        self.slow = 0.0  # seconds until a read is answered
        self.paths: list[str] = []

    def clock(self) -> float:
        return self.now

    async def get(self, path: str) -> dict[str, Any]:
        self.paths.append(path)
        self.now += self.slow
        if self.fault is not None:
            raise self.fault
        spec = {"holderIdentity": self.holder, "leaseDurationSeconds": self.duration}
        return {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.fixture
def installs(leases: Leases) -> Installs:
    return Installs(leases, leases.clock)  # type: ignore[arg-type]


async def test_an_install_that_renews_is_left_alone(installs: Installs, leases: Leases) -> None:
    for _ in range(20):
        assert (await installs.look(CLAIM)).gone is None
        leases.now += 14
        leases.version += 1
    assert leases.paths[0] == "/apis/coordination.k8s.io/v1/namespaces/elsewhere/leases/secure-redis-operator"


async def test_one_that_did_not_renew_for_its_duration_is_gone(installs: Installs, leases: Leases) -> None:
    assert await installs.look(CLAIM) == Standing(None, 15)
    leases.now += 14.9
    assert (await installs.look(CLAIM)).gone is None
    leases.now += 5
    assert (await installs.look(CLAIM)).gone == f"the Lease {CLAIM} was not renewed for its whole duration"
    leases.now += 5
    leases.version += 1  # it was frozen only
    assert (await installs.look(CLAIM)).gone is None


@pytest.mark.parametrize("duration", [1, 0, None])
async def test_a_short_duration_does_not_count(installs: Installs, leases: Leases, duration: int | None) -> None:
    leases.duration = duration
    await installs.look(CLAIM)
    leases.now += 14.9
    assert (await installs.look(CLAIM)).gone is None
    leases.now += 5
    assert (await installs.look(CLAIM)).gone


async def test_the_time_until_the_first_answer_does_not_count(installs: Installs, leases: Leases) -> None:
    leases.slow = 20.0
    await installs.look(CLAIM)
    leases.slow = 0.0
    leases.now += 14.9
    assert (await installs.look(CLAIM)).gone is None


@pytest.mark.parametrize("how", ["deleted", "released"])
async def test_a_lease_that_nobody_holds_counts_after_a_duration(installs: Installs, leases: Leases, how: str) -> None:
    """An install that is upgraded gives its Lease back, and another of its pods takes it within seconds."""
    if how == "deleted":
        leases.fault = ApiFailure(404, "NotFound", "none")
    leases.holder = ""
    assert await installs.look(CLAIM) == Standing(None, 15)
    leases.now += 15
    assert (await installs.look(CLAIM)).gone == f"the Lease {CLAIM} does not exist, or has no holder"
    leases.fault, leases.holder = None, "pod-2"
    leases.now += 5
    assert (await installs.look(CLAIM)).gone is None


async def test_a_duration_of_years_is_not_believed(installs: Installs, leases: Leases) -> None:
    leases.duration = 10**9
    await installs.look(CLAIM)
    leases.now += 60
    assert (await installs.look(CLAIM)).gone


async def test_a_lease_that_may_not_be_read_is_reported_as_that(installs: Installs, leases: Leases) -> None:
    leases.fault = ApiFailure(403, "Forbidden", "no")
    await installs.look(CLAIM)
    leases.now += 15
    assert "may not read" in str((await installs.look(CLAIM)).gone)


async def test_an_api_server_that_does_not_answer_proves_nothing(installs: Installs, leases: Leases) -> None:
    leases.fault = ApiFailure(500, "InternalError", "no")
    with pytest.raises(ApiFailure):
        await installs.look(CLAIM)


@pytest.mark.parametrize(
    "claim",
    [
        "elsewhere/other",
        "",
        "/",
        "secure-redis-operator",
        "../secure-redis-operator",
        "a/b/secure-redis-operator",
        "A/secure-redis-operator",
        "%2e%2e/secure-redis-operator",
        "x\n/secure-redis-operator",
        "elsewhere/secure-redis-operator\n",
        "-/secure-redis-operator",
        "x" * 64 + "/secure-redis-operator",
        "x" * 250_000,
        "-" * 250_000 + "/secure-redis-operator",
    ],
)
async def test_no_other_claim_becomes_a_request_or_a_message(installs: Installs, leases: Leases, claim: str) -> None:
    found = await installs.look(claim)
    assert found.gone == "the annotation names no Lease of an operator"
    assert leases.paths == []


async def test_one_read_serves_all_resources_and_few_claims_are_kept(installs: Installs, leases: Leases) -> None:
    for _ in range(100):
        await installs.look(CLAIM)
    assert len(leases.paths) == 1
    for number in range(1000):
        await installs.look(f"n{number}/secure-redis-operator")
    assert list(installs._observed) == [f"n{number}" for number in range(1000 - 256, 1000)], "the newest"
