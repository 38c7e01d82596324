"""Managed Redis and the Enterprise tiers: read, judged and probed by the real operator, and nothing else done."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, customer_key, managed_scope
from sandbox.azure.seeds.storage import VaultKey
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION, World
from secure_redis.domain.assess.rules import RULES
from tests.integration.operator.support import Case, release

PASS, FAIL, UNKNOWN = "Pass", "Fail", "Unknown"
DAY = 86_400
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
READS = ("*/read",)
OPEN = seeds.PrivateEndpoint(name="shop")
# Rules that only a Microsoft.Cache/redis can have, or that rest on a Secret, a vault or workloads.
CLASSIC = "T1 A1 A2 A5 N4 N6 P2 P3 P4 P5 P6 P7 R1 R4 O5 O6"
KEY_VERSION = "0" * 32
LATER = "T6 T7 A6 A7 A8 K1 K2 K3 K4 K5 K6 W1 W2 W3 W4 R6 L2"


class Cluster(Case):
    """A cluster of a team and a resource on it."""

    @property
    def id(self) -> str:
        return managed_scope(SUBSCRIPTION, self.team.name, self.cache)

    def there(self, **changes: Any) -> "Cluster":
        """A safe one, unless the arguments change it."""
        properties = {"publicNetworkAccess": "Disabled", **changes.pop("properties", {})}
        changes.setdefault("private_endpoints", (OPEN,))
        self.control.seed(
            ManagedCluster(
                subscription=SUBSCRIPTION, group=self.team.name, name=self.cache, properties=properties, **changes
            )
        )
        return self

    def judged(self, **spec: Any) -> "Cluster":
        """The resource is there and was checked."""
        self.apply(key=False, resourceID=self.id, **spec)
        return self

    def own_key(self, used: str = f"/{KEY_VERSION}", **key: Any) -> dict[str, Any]:
        """The property `encryption` with a key of the team's vault. `used`: what names the version in its URL."""
        self.control.seed(VaultKey(vault=self.team.name, name="disk", version=KEY_VERSION, **key))
        url = f"{self.control.endpoints.vault_url(self.team.name)}/keys/disk{used}"
        return {"encryption": customer_key(url, IDENTITY)}

    def settles(self, check: Callable[[], bool], what: str) -> None:
        """Poke until it holds."""

        def settled() -> bool:
            self.poke()
            return check()

        wait_for(settled, PATIENCE, what, interval=0.3)

    def results(self) -> dict[str, str]:
        """Findings by rule; a rule that is none passes or does not apply. A failure of severity Info is advice."""
        found = self.status.get("compliance", {}).get("findings", [])
        return {one["rule"]: FAIL if one["result"] == "Advice" else one["result"] for one in found}


@pytest.fixture
def make(world: World) -> Any:
    """Makes clusters, each of a team of its own that may read everything unless the arguments change it."""
    made: list[Cluster] = []

    def one(name: str = "cluster", **team: Any) -> Cluster:
        team.setdefault("cache_actions", READS)
        made.append(Cluster(world, world.team(**team), name))
        return made[-1]

    yield one
    for case in made:
        case.mend_faults()
        release(world, case.team)


Make = Callable[..., Cluster]


def test_a_cluster_is_read_and_judged(make: Make) -> None:
    case = make().there(tags={"owner": "shop"}).judged()
    assert "assessed" in case.until("Ready", "True", "Assessed")
    host = f"{case.cache}.westeurope.{case.control.endpoints.managed_redis_suffix}"
    assert case.until("CacheAvailable", "True", "Available") == f"{host}:10000"
    shown = case.status["cache"]
    assert shown == {
        "hostName": host,
        "port": 10000,
        "service": "ManagedRedis",
        "sku": "Balanced_B5",
        "provisioningState": "Succeeded",
        "redisVersion": "7.4",
        "ownership": "Unclaimed",
        "apiVersion": "2026-09-01",
    }
    case.until("TransportSecured", "True", "Secured")
    case.until("DriftDetected", "False", "NoDrift")
    assert not case.has("PersistenceEncrypted")
    assert not case.has("CredentialsSynced")
    assert not case.has("Stalled")
    assert case.secret() is None
    assert case.writes() == []
    told = set(case.results())
    assert not told & set(f"{CLASSIC} {LATER}".split()), "of Microsoft.Cache/redis only, or of what is not done yet"
    named = [r.path for r in case.control.log.requests(case.mark) if r.principal == case.team.object_id]
    assert not [path for path in named if "/redis/" in path.lower() or "listkeys" in path.lower()]
    case.delete()
    case.world.await_gone(case.document)
    assert case.control.managed_redis.get(case.cache) is not None


@pytest.mark.parametrize(
    ("sku", "day"),
    [
        ({"name": "Enterprise_E10", "capacity": 2}, "2027-03-31"),
        ({"name": "EnterpriseFlash_F300", "capacity": 3}, "2027-03-31"),
        ({"name": "Balanced_B0"}, None),
        ({"name": "MemoryOptimized_M10"}, None),
        ({"name": "ComputeOptimized_X5"}, None),
        ({"name": "FlashOptimized_A250"}, None),
    ],
)
def test_the_enterprise_tiers_retire_and_managed_redis_does_not(
    make: Make, sku: dict[str, Any], day: str | None
) -> None:
    case = make().there(sku=sku).judged()
    case.until("Ready", "True")
    assert case.status["cache"]["sku"] == sku["name"]
    assert case.status["cache"].get("retiresOn") == day
    findings = {one["rule"]: one for one in case.status["compliance"]["findings"]}
    assert ("L1" in findings) is (day is not None)
    if day is not None:
        assert day in findings["L1"]["message"]


def _safe(case: Cluster) -> Cluster:
    own = case.own_key(expires=int(time.time()) + 400 * DAY)
    case.control.keyvault.update(case.team.name, {"enablePurgeProtection": True})
    keyless = {"accessKeysAuthentication": "Disabled"}  # a new database has keys
    return case.there(tags={"owner": "shop"}, properties=own, database=keyless).judged()


def _unsafe(case: Cluster) -> Cluster:
    return case.there(
        sku={"name": "Enterprise_E10", "capacity": 2},
        properties={"publicNetworkAccess": "Enabled", "minimumTlsVersion": "1.0", "redundancyMode": "LR"},
        database={
            "clientProtocol": "Plaintext",
            "accessKeysAuthentication": "Enabled",
            "deferUpgrade": "Deferred",
        },
        private_endpoints=(seeds.PrivateEndpoint(name="shop", status="Pending"),),
    ).judged()


def _badly_kept(case: Cluster) -> Cluster:
    """A key of one's own that is disabled, in a vault without purge protection."""
    return case.there(properties=case.own_key(enabled=False)).judged()


def _other_version(case: Cluster) -> Cluster:
    """The key was rotated: the vault shows a newer version than the one that the cluster names."""
    return case.there(properties=case.own_key(used=f"/{'1' * 32}")).judged()


def _no_version(case: Cluster) -> Cluster:
    return case.there(properties=case.own_key(used="")).judged()


def _silent(case: Cluster) -> Cluster:
    return case.there(
        absent=("minimumTlsVersion", "publicNetworkAccess", "redundancyMode"),
        database_absent=("clientProtocol", "accessKeysAuthentication", "deferUpgrade"),
    ).judged()


def _narrow(case: Cluster) -> Cluster:
    """The identity may read the cluster, and neither its database nor its key."""
    return case.there(properties=case.own_key()).judged()


WORLDS: dict[str, tuple[Callable[[Cluster], Cluster], tuple[str, ...], dict[str, str]]] = {
    "safe": (_safe, READS, {PASS: "T2 T3 A4 N1 N2 N3 P8 P9 P12 P13 R2 O4 O7 O9 L1", FAIL: "", UNKNOWN: ""}),
    "unsafe": (_unsafe, READS, {PASS: "", FAIL: "T2 T3 A4 N1 N2 N3 P8 R2 O4 O9 L1", UNKNOWN: ""}),
    "badly-kept": (_badly_kept, READS, {PASS: "P8", FAIL: "P9", UNKNOWN: ""}),
    "rotated": (_other_version, READS, {PASS: "P8 P12", FAIL: "P9 P13", UNKNOWN: ""}),
    "unversioned": (_no_version, READS, {PASS: "P8", FAIL: "P12", UNKNOWN: ""}),
    "silent": (_silent, READS, {PASS: "", FAIL: "", UNKNOWN: "T2 T3 A4 N1 R2 O9"}),
    "narrow": (
        _narrow,
        ("Microsoft.Cache/redisEnterprise/read",),
        {PASS: "P8 P12", FAIL: "", UNKNOWN: "T3 A4 P9 P13 O9"},
    ),
    "denied": (_narrow, (), {}),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_rule_of_a_cluster_in_its_worlds(make: Make, name: str) -> None:
    arrange, actions, expected = WORLDS[name]
    case = arrange(make(cache_actions=actions))
    if not expected:
        case.until("CacheAvailable", "Unknown", "AzureDenied")
        assert "Microsoft.Cache/redisEnterprise/read" in case.until("Ready", "Unknown", "AzureDenied")
        assert "cache" not in case.status
        return

    def wrong() -> dict[str, str]:
        found = case.results()
        return {
            rule: f"{found.get(rule, PASS)} instead of {result}"
            for result, rules in expected.items()
            for rule in rules.split()
            if found.get(rule, PASS) != result
        }

    case.until("Ready", "True")
    try:
        case.settles(lambda: not wrong(), f"the rules to come to what {name} holds")
    except TimeoutError:
        raise AssertionError(f"{wrong()}; {case.status['compliance']['findings']}") from None
    if name == "narrow":
        findings = case.status["compliance"]["findings"]
        unknown = {one["rule"]: one["message"] for one in findings if one["result"] == UNKNOWN}
        for rule in ("T3", "A4"):
            assert "Microsoft.Cache/redisEnterprise/databases/read" in unknown[rule]


# The results that these worlds show, for the table of all rules in `test_rules`.
SHOWN = {(rule, result) for _, _, told in WORLDS.values() for result, rules in told.items() for rule in rules.split()}
# Results that no world can show, and why.
NEVER = {
    (rule, UNKNOWN): "a cluster that answers says which key it has, and one that does not is not judged (`denied`)"
    for rule in ("P8", "P12")
}


def test_every_rule_of_a_cluster_has_a_world_for_each_result() -> None:
    wanted = {
        (rule, result) for rule in ("T3", "A4", "P8", "P9", "P12", "P13", "O9") for result in (PASS, FAIL, UNKNOWN)
    }
    assert wanted - SHOWN == set(NEVER)
    assert {rule for rule, _ in SHOWN} <= {rule.id for rule in RULES}


def test_a_database_that_speaks_in_clear(make: Make) -> None:
    case = make().there(database={"clientProtocol": "Plaintext"}).judged()
    assert "clientProtocol Plaintext" in case.until("TransportSecured", "False", "PlaintextProtocol")
    assert case.condition("Ready")[0] == "True"
    # The probe finds that the listener does as Azure says.
    case.settles(lambda: case.status.get("endpoint", {}).get("nonTLSPort") == "Open", "the probe")
    case.settles(lambda: case.results().get("T4") == FAIL, "the rule on it")
    case.control.managed_redis.update(case.cache, database={"clientProtocol": "Encrypted"})
    case.heal("TransportSecured", "True")
    case.settles(lambda: "T4" not in case.results(), "the rule on it")


def test_the_endpoint_is_probed_at_the_port_that_azure_reports(make: Make) -> None:
    case = make().there(database={"port": 10003}).judged()
    message = case.until("CacheAvailable", "True")
    assert message.endswith(":10003")
    case.heal("TransportSecured", "True", "Secured")
    wait_for(lambda: "endpoint" in case.status, PATIENCE, "the probe")
    endpoint = case.status["endpoint"]
    assert endpoint["tlsVersions"] == ["1.2", "1.3"]
    assert endpoint["chain"]["verified"]
    assert endpoint["name"]["verified"]
    assert endpoint["nonTLSPort"] == "NotAnswering"
    assert not {"T4", "T5"} & set(case.results())


def test_the_probe_outweighs_azure(make: Make) -> None:
    case = make().there().judged()
    case.until("TransportSecured", "True")
    case.control.managed_redis.listener_fault(case.cache, "wrong-certificate")
    case.heal("TransportSecured", "False", "CertificateNameMismatch")
    case.control.managed_redis.listener_fault(case.cache, None)
    case.heal("TransportSecured", "True")


def test_persistence_is_followed_to_the_key(make: Make) -> None:
    case = make().there(database={"persistence": {"rdbEnabled": True, "rdbFrequency": "6h"}}).judged()
    message = case.until("PersistenceEncrypted", "True", "PersistenceEncrypted")
    assert "RDB every 6h" in message
    assert "Microsoft-managed" in message
    case.control.managed_redis.update(case.cache, case.own_key())
    case.heal("PersistenceEncrypted", "True")
    case.settles(lambda: "customer-managed key 'disk'" in case.condition("PersistenceEncrypted")[2], "the key")
    case.control.keyvault.change_key(case.team.name, "disk", expires=int(time.time()) - DAY)
    case.heal("PersistenceEncrypted", "False", "EncryptionKeyUnusable")
    case.control.keyvault.delete_key(case.team.name, "disk")
    case.heal("PersistenceEncrypted", "False", "EncryptionKeyUnusable")
    case.control.managed_redis.update(case.cache, database={"persistence": {"rdbEnabled": False}})
    case.settles(lambda: not case.has("PersistenceEncrypted"), "the condition to go")


def test_a_cluster_without_a_database_and_without_a_route(make: Make) -> None:
    case = make().there(database=None, private_endpoints=()).judged()
    case.until("CacheAvailable", "False", "DatabaseMissing")
    case.until("TransportSecured", "Unknown", "NotReady")
    assert not {"T3", "A4"} & set(case.results())
    case.control.managed_redis.update(case.cache, database={"accessKeysAuthentication": "Disabled"})
    case.heal("CacheAvailable", "False", "NoRoute")
    case.control.managed_redis.update(case.cache, private_endpoints=[OPEN])
    case.heal("CacheAvailable", "True", "Available")


def test_states_and_absence(make: Make) -> None:
    case = make().judged()
    case.heal("CacheAvailable", "False", "CacheNotFound")
    case.there(properties={"provisioningState": "Creating"})
    case.heal("CacheAvailable", "False", "Creating")
    case.control.managed_redis.update(case.cache, {"provisioningState": "Failed"})
    case.heal("CacheAvailable", "False", "CacheFailed")
    case.control.managed_redis.update(case.cache, {"provisioningState": "Succeeded", "resourceState": "Disabled"})
    case.heal("CacheAvailable", "False", "CacheDisabled")
    case.control.managed_redis.update(case.cache, {"resourceState": "Running"})
    case.heal("CacheAvailable", "True", "Available")
    case.control.managed_redis.delete(case.cache)
    case.heal("DriftDetected", "True", "CacheNotFound")
    assert case.status["drift"][0]["path"] == "resourceID"


def test_drift_is_reported_and_not_corrected(make: Make) -> None:
    case = make().there(properties={"publicNetworkAccess": "Enabled", "minimumTlsVersion": "1.1"}).judged()
    case.until("DriftDetected", "True", "Drifted")
    told = {one["path"]: (one["declared"], one["observed"], one["class"]) for one in case.status["drift"]}
    assert told == {
        "transport.minimumTLSVersion": ("1.2", "1.1", "Security"),
        "network.publicAccess": ("Disabled", "Enabled", "Security"),
    }
    assert case.writes() == []


@pytest.mark.parametrize("whole", [True, False])
def test_an_outage_takes_nothing_back(make: Make, whole: bool) -> None:
    case = make()
    with case.control.settings.during(managed_list_is_whole=whole):
        case.there().judged()
        case.until("Ready", "True")
        case.until("CacheAvailable", "True")
        case.fault(path="redisEnterprise", status=503)
        case.poke()
        case.until("CacheAvailable", "Unknown", "AzureError")
        assert case.condition("Ready")[0] == "True"
        assert case.status["cache"]["port"] == 10000
        case.mend_faults()
        case.heal("CacheAvailable", "True")


def test_an_unsupported_feature_is_refused_at_once(make: Make) -> None:
    case = make().there()
    refused: dict[str, dict[str, Any]] = {
        "connection.database": {"connection": {"database": 1}},
        "network.firewallRules": {
            "network": {"firewallRules": [{"name": "x", "startIP": "10.0.0.1", "endIP": "10.0.0.1"}]}
        },
        "provision.managedRedis": {"mode": "Provision", "provision": {"location": "westeurope"}},
        "workloads": {"workloads": [{"id": "web", "kind": "Deployment", "name": "web"}]},
    }
    for word, spec in refused.items():
        answer = case.world.api.apply(case.spec(key=False, resourceID=case.id, **spec))
        assert not answer.ok, word
        assert word in answer.message
