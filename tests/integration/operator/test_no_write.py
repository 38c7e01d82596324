"""An unchanged world causes zero writes: to Azure, to Key Vault, to Kubernetes."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import AuditEvent
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION, Team, World
from tests.integration.operator.support import Case, provision

NOT_PROBED_YET = "this process has not probed it yet"
USER = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"


class Ledger:
    """The operator's writes for these cases from now on: at the API server and in Azure."""

    def __init__(self, world: World, cases: list[Case]) -> None:
        self._world, self._cases = world, cases
        self._spaces = {case.team.namespace for case in cases}
        # A write is logged after it is visible (measured: 4 of 60 were): what was sent earlier may yet be logged.
        self._since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        self._audit, self._azure = world.cluster.audit_position(), world.control.log.position()
        self._secrets = self._versions()

    def _versions(self) -> dict[str, str]:
        found = {case.cache: case.secret() for case in self._cases}
        return {name: secret["metadata"]["resourceVersion"] for name, secret in found.items() if secret}

    def kubernetes(self) -> list[AuditEvent]:
        """Its writes in these namespaces that took effect. A refused one counts too: it was tried."""
        events = self._world.cluster.audit_events(since=self._audit, user=USER)
        mine = [event for event in events if event.is_write and event.namespace in self._spaces]
        return [event for event in mine if event.received >= self._since]

    def azure(self) -> list[str]:
        """Its writes in Azure as these teams."""
        mine = {case.team.object_id for case in self._cases}
        return [f"{w.method} {w.path}" for w in self._world.control.log.writes(self._azure) if w.principal in mine]

    def settle(self, pokes: int = 1, timeout: float = PATIENCE) -> None:
        """Ask each for a check; every pass that was due before is over then. Each answer is one write of its status."""
        for _ in range(pokes):
            asked = [case.ask() for case in self._cases]
            for case, look in zip(self._cases, asked, strict=True):
                case.await_look(look)
        statuses = {case.document["metadata"]["name"]: pokes for case in self._cases}

        def audited() -> bool:
            return self._counted() == statuses

        wait_for(audited, timeout, f"the audit log to show one status write a refresh; it shows {self.kubernetes()}")

    def _counted(self) -> dict[str, int]:
        return dict(Counter(event.name for event in self.kubernetes() if event.subresource == "status"))

    def balance(self) -> None:
        """Nothing but the answers to `settle` was written."""
        others = [event for event in self.kubernetes() if event.subresource != "status"]
        assert [(event.verb, event.uri) for event in others] == []
        assert self.azure() == []
        assert self._versions() == self._secrets


def quiet(case: Case) -> Case:
    """Two more checks, so that nothing is under way; the first probe of its endpoint is over too."""
    case.poke()
    case.poke()
    wait_for(lambda: NOT_PROBED_YET not in str(case.status["conditions"]), PATIENCE, "the first probe")
    return case


def _safe(case: Case) -> None:
    case.published(connection={"labels": {"team": "shop"}, "keys": {"REDIS_PASSWORD": "password"}})


def _unsafe(case: Case) -> None:
    case.exists(properties={"enableNonSslPort": True, "publicNetworkAccess": "Enabled"}, private_endpoints=())
    case.apply(key=False)
    case.until("DriftDetected", "True")


def _missing(case: Case) -> None:
    case.apply()
    case.until("Ready", "False", "CacheNotFound")


def _mismatched(case: Case) -> None:
    case.published()
    case.control.redis.regenerate(case.cache, "Primary")
    case.heal("CredentialsSynced", "False", "KeyMismatch")


def _expired(case: Case) -> None:
    case.published()
    case.change_secret(expires=1_600_000_000)
    case.heal("CredentialsSynced", "False", "VaultSecretExpired")


def _foreign(case: Case) -> None:
    case.exists()
    case.store()
    metadata = {"name": case.cache, "namespace": case.team.namespace}
    case.world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": "b"}})
    case.apply()
    case.until("Ready", "False", "SecretForeign")


def _immutable(case: Case) -> None:
    case.published()
    case.edit_secret({"immutable": True})
    case.store(case.keys["Secondary"])
    case.heal("CredentialsSynced", "False", "SecretImmutable")


def _not_consented(case: Case) -> None:
    case.world.service_account(case.team, "secure-redis", allow="others")
    case.apply()
    case.until("CacheAvailable", "Unknown", "ConsentMissing")


def _other_service(case: Case) -> None:
    cluster = ManagedCluster(subscription=SUBSCRIPTION, group=case.team.name, name=case.cache)
    case.control.seed(cluster)
    case.allow("*/read")
    case.apply(key=False, resourceID=managed_scope(cluster.subscription, cluster.group, cluster.name))
    case.until("Ready", "True")
    case.until("DriftDetected", "True")


def _paused(case: Case) -> None:
    case.published()
    case.annotate(paused="true")


def _decorated(case: Case) -> None:
    """A user keeps a label of their own on the Secret."""
    case.published()
    case.edit_secret({"metadata": {"labels": {"theirs": "yes"}, "annotations": {"example.com/theirs": "yes"}}})


VALIDATE: dict[str, Callable[[Case], None]] = {
    "safe": _safe,
    "unsafe": _unsafe,
    "missing": _missing,
    "mismatched": _mismatched,
    "expired": _expired,
    "foreign": _foreign,
    "immutable": _immutable,
    "not-consented": _not_consented,
    "other-service": _other_service,
    "paused": _paused,
    "decorated": _decorated,
}


def _provisioned(case: Case) -> None:
    case.apply(**provision(case, drift={"correct": ["Security", "Availability"]}))
    case.until("Ready", "True")
    case.until("DriftDetected", "False", "NoDrift")


def _stored(case: Case) -> None:
    keyed = {"uri": case.control.endpoints.vault_url(case.team.name), "secretName": case.cache, "access": "ReadWrite"}
    case.apply(**provision(case, authentication={"keyVault": keyed}))
    case.until("Ready", "True")
    case.until("DriftDetected", "False", "NoDrift")


def _held_back(case: Case) -> None:
    _provisioned(case)
    case.change(network={"publicAccess": "Disabled", "firewallRules": None})
    case.until("DriftDetected", "True", "WouldDisconnect")


def _unadopted(case: Case) -> None:
    case.exists(properties={"enableNonSslPort": True})
    case.apply(**provision(case, drift={"correct": ["Security"]}))
    case.until("DriftDetected", "True", "AdoptionRequired")


def _gone(case: Case) -> None:
    _provisioned(case)
    case.control.redis.delete(case.cache)
    case.heal("CacheAvailable", "False", "CacheGone")


def _unconfirmed(case: Case) -> None:
    case.apply(**provision(case, deletionPolicy="Delete"))
    case.until("Ready", "True")
    case.until("DriftDetected", "False", "NoDrift")
    case.delete()
    case.until("Ready", "False", "ConfirmationRequired")


PROVISION: dict[str, Callable[[Case], None]] = {
    "provisioned": _provisioned,
    "stored": _stored,
    "held-back": _held_back,
    "unadopted": _unadopted,
    "unconfirmed": _unconfirmed,
}


@pytest.fixture
def all_kinds(world: World, teams: Callable[..., Team], builders: Team) -> list[Case]:
    """One resource in every lasting state, good and bad; one team for those that change no permissions in Azure."""
    ordinary, withheld = teams(), teams()
    cases = []
    for name, arrange in VALIDATE.items():
        case = Case(world, withheld if name == "not-consented" else ordinary, name)
        arrange(case)
        cases.append(quiet(case))
    for name, arrange in PROVISION.items():
        case = Case(world, builders, name)
        arrange(case)
        cases.append(quiet(case))
    return cases


def test_without_a_change_nothing_is_written(world: World, all_kinds: list[Case]) -> None:
    """Ten checks of each, and two operators that begin again: only the refreshes are answered, in status alone."""
    ledger = Ledger(world, all_kinds)
    ledger.settle(10)
    ledger.balance()
    for kill in (False, True):
        ledger = Ledger(world, all_kinds)
        world.stop_operator(kill=kill)
        world.start_operator()
        ledger.settle()  # by then the first check of the new process is over
        ledger.balance()


def test_a_deleted_cache_is_reported_once(world: World, build: Case) -> None:
    _gone(build)
    quiet(build)
    ledger = Ledger(world, [build])
    ledger.settle(5)
    ledger.balance()


def test_a_cache_that_is_gone_stays_gone_for_a_new_operator(world: World, build: Case) -> None:
    _gone(build)
    quiet(build)
    ledger = Ledger(world, [build])
    world.stop_operator()
    world.start_operator()
    ledger.settle()
    ledger.balance()


def test_a_wake_that_finds_nothing_to_do(world: World, case: Case) -> None:
    """Neither a user's label on the Secret nor one on the resource makes the operator write anything."""
    quiet(case.published())
    ledger = Ledger(world, [case])
    for number in range(5):
        case.world.api.merge(
            case.document, {"metadata": {"labels": {"secureredis.io/theirs": str(number), "theirs": str(number)}}}
        ).must()
    ledger.settle()
    ledger.balance()


def test_an_outage_writes_each_status_once(world: World, case: Case) -> None:
    """While Azure fails, the status says so once; each further check finds that it does."""
    quiet(case.published())
    case.fault(service="arm", status=503, body={"error": {"code": "ServerBusy", "message": "busy"}})
    case.heal("CacheAvailable", "Unknown", "AzureError")
    ledger = Ledger(world, [case])
    ledger.settle(5)
    ledger.balance()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_missing_cluster_causes_no_write_in_three_intervals(world: World, case: Case) -> None:
    """The provider's 404 has another time and other ids each time."""
    identifier = managed_scope(SUBSCRIPTION, case.team.name, case.cache)
    case.allow("*/read")

    def reads(since: int) -> int:
        asked = world.control.log.requests(since)
        return sum(request.path.lower().startswith(identifier.lower()) for request in asked)

    with world.control.settings.during(managed_provider_words=True):
        case.apply(key=False, resourceID=identifier, drift={"intervalSeconds": 30})
        case.until("CacheAvailable", "False", "CacheNotFound")
        position = world.control.log.position()
        quiet(case)  # two checks
        of_one_check = max(1, reads(position) // 2)
        position, before = world.control.log.position(), case.object
        wait_for(lambda: reads(position) >= 3 * of_one_check, 300, "three checks", interval=1)
        assert case.object["status"] == before["status"]
        assert case.object["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
