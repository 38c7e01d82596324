"""A namespace whose vault does not answer delays its own resources and no others."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import Document
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_READ, Team, World
from tests.integration.operator.support import Bystander, Case, provision
from tests.integration.operator.test_provision import CORRECT, created, owner, properties, tags

pytestmark = pytest.mark.attempt  # A10 of the security review

FOLLOWERS = 8
MANY = 20  # more than there are places for passes


class Hostile:
    """A team with permission to read another team's cache, and with a vault that never answers."""

    def __init__(self, case: Case, cache: Case) -> None:
        self.case = case
        self.cache = cache
        case.allow(*CACHE_READ, scope=cache.team.group_scope)

    def hang(self, count: int, **spec: Any) -> None:
        """Follow the cache `count` times, each with a secret of its own, and wait until all of them are asked for."""
        self.case.fault(service="vault", kind="hang")
        for number in range(count):
            self.case.world.apply(self._follower(f"f{number}", **spec))
        wait_for(lambda: self.hits >= min(count, 12), PATIENCE, "the passes that wait for the vault")

    @property
    def hits(self) -> int:
        """How many requests the vault has left without an answer."""
        return self.case.control.faults.hits()[self.case.faults[0]]

    def read_nothing(self) -> None:
        """No pass of the team has read its vault so far."""
        path = f"/apis/secureredis.io/v1alpha1/namespaces/{self.case.team.namespace}/securerediscaches"
        for item in self.case.world.api.get(path).must()["items"]:
            found = {one["type"]: one["status"] for one in item.get("status", {}).get("conditions", [])}
            assert found.get("CredentialsSynced", "Unknown") == "Unknown", item["status"]

    def _follower(self, name: str, **spec: Any) -> Document:
        options = {"resourceID": self.cache.team.cache_id(self.cache.cache), **spec}
        return self.case.world.resource(self.case.team, name, key=name, **options)


@pytest.fixture
def follow(world: World, teams: Callable[..., Team]) -> Iterator[Callable[[Case], Hostile]]:
    """Makes a hostile team that follows the cache of a case."""
    made: list[Hostile] = []

    def make(cache: Case) -> Hostile:
        made.append(Hostile(Case(world, teams()), cache))
        return made[-1]

    yield make
    for one in made:
        one.case.mend_faults()


def corrected(case: Case) -> float:
    """A user opens the cache, and the owner closes it. Returns the seconds, as a figure only."""
    started = time.monotonic()
    case.update({"enableNonSslPort": True})
    case.poke()
    wait_for(lambda: properties(case)["enableNonSslPort"] is False, PATIENCE, "the owner's correction")
    case.until("TransportSecured", "True")
    return time.monotonic() - started


def test_the_owner_corrects_its_cache_while_eight_followers_wait_for_their_vault(
    build: Case, follow: Callable[[Case], Hostile], capsys: pytest.CaptureFixture[str]
) -> None:
    created(build, **CORRECT)
    quiet = corrected(build)
    hostile = follow(build)
    declared = provision(build)
    hostile.hang(FOLLOWERS, mode="Provision", provision=declared["provision"], network=declared["network"])
    crowded = corrected(build)
    hostile.read_nothing()
    with capsys.disabled():
        print(f"\nowner's correction: quiet {quiet:.1f} s, beside {FOLLOWERS} hanging followers {crowded:.1f} s")  # noqa: T201


def test_a_namespace_with_more_waiting_passes_than_places_stops_nobody(
    bystander: Bystander, follow: Callable[[Case], Hostile]
) -> None:
    hostile = follow(bystander)
    hostile.hang(MANY)
    bystander.goes_on()
    hostile.read_nothing()


@pytest.mark.parametrize("exists", [pytest.param(False, marks=pytest.mark.slow), True], ids=["create", "adopt"])
def test_of_two_that_claim_one_cache_at_once_the_second_reads_the_firsts_tag(
    world: World, build: Case, builders: Team, exists: bool
) -> None:
    """Azure takes long for each write, so that the other resource observes the cache meanwhile."""
    if exists:
        build.exists(properties={"publicNetworkAccess": "Enabled"})
    other = Case(world, builders)
    adopt = {"secureredis.io/adopt": build.cache}
    other.spec(annotations=adopt, **provision(other))["metadata"]["name"] = f"{build.cache}-b"
    build.spec(annotations=adopt, **provision(build))
    for method in ("PUT", "PATCH"):
        build.fault(
            service="arm", method=method, path=f"/redis/{build.cache}$", kind="delay", seconds=1.5, when="after"
        )
        build.fault(service="arm", method=method, path=f"/redis/{build.cache}$", kind="delay", seconds=1.5)
    world.apply(build.document)
    world.apply(other.document)
    both = (build, other)

    def reasons() -> list[str]:
        found = (world.condition(one.document, "Ready") for one in both)
        return [condition[1] for condition in found if condition is not None]

    wait_for(lambda: "OwnedByAnother" in reasons(), PATIENCE, "one of them to learn that the other one owns the cache")
    owners = {owner(one) for one in both}
    tag = tags(build)["secureredis-owner"]
    assert tag in owners
    loser = next(one for one in both if owner(one) != tag)
    build.mend_faults()
    loser.heal("Ready", "False", "OwnedByAnother")
    assert tags(build)["secureredis-owner"] == tag, "the owner did not change any more"
    if not exists:
        assert [kind for kind, _ in build.effects()].count("cache.create") == 1
