import itertools
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from tests.builders.world import CACHE_ID, OTHER_ID

# ProvisioningState of the SDK (docs/internals/azure-facts.md#provisioning-states).
BUSY = [
    "Creating",
    "Deleting",
    "Linking",
    "Provisioning",
    "RecoveringScaleFailure",
    "Scaling",
    "Unlinking",
    "Unprovisioning",
    "Updating",
    "ConfiguringAAD",
]


@pytest.mark.parametrize("state", [*BUSY, "SomethingNew", ""])
def test_busy_states(state: str) -> None:
    assert normalise.is_busy(state)
    assert normalise.is_busy(state.lower())
    assert not normalise.is_dead(state)


@pytest.mark.parametrize(("state", "dead"), [("Succeeded", False), ("Failed", True), ("disabled", True)])
def test_settled_states(state: str, dead: bool) -> None:
    assert not normalise.is_busy(state)
    assert normalise.is_dead(state) is dead


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (CACHE_ID, CACHE_ID, True),
        (CACHE_ID, CACHE_ID.upper(), True),
        (CACHE_ID, CACHE_ID + "/", True),
        (CACHE_ID, CACHE_ID.replace("/redis/", "/Redis/"), True),
        (CACHE_ID, OTHER_ID, False),
        (CACHE_ID, CACHE_ID + "1", False),
        (CACHE_ID, CACHE_ID + "/x", False),
        ("", "", False),
        (None, None, False),
        ("/", "//", False),
    ],
)
def test_ids(a: str | None, b: str | None, same: bool) -> None:
    assert normalise.same_id(a, b) is same
    assert normalise.same_id(b, a) is same


def test_tags_have_no_case_and_the_exact_name_wins() -> None:
    assert normalise.tag({"Team": "a"}, "TEAM") == "a"
    assert normalise.tag({"TEAM": "a", "team": "b"}, "team") == "b"
    assert normalise.tag({"team": ""}, "Team") == ""
    assert normalise.tag({}, "team") is None


@pytest.mark.parametrize("text", ["West US 2", "westus2", "WestUS2", " west us2 "])
def test_locations(text: str) -> None:
    assert normalise.location(text) == "westus2"


@pytest.mark.parametrize(
    ("declared", "observed", "same"),
    [
        ("6", "6.0", True),
        ("6", "6.0.14", True),
        ("6", "latest", True),
        ("6", "Latest", True),
        ("6.0", "6", True),
        ("6.0", "6.0.14", True),
        ("6.0.0", "6", True),
        ("6", "6.2", True),
        ("6.2", "6", False),
        ("6.2", "6.0.14", False),
        ("6", "60", False),
        ("6", "4.0", False),
        ("4", "latest", False),
        ("6", None, False),
        ("6", "", False),
        ("6", "six", False),
    ],
)
def test_versions(declared: str, observed: str | None, same: bool) -> None:
    assert normalise.same_version(declared, observed) is same


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2", (1, 2)),
        (" 1.3 ", (1, 3)),
        ("1.0", (1, 0)),
        ("TLS1_2", (1, 2)),
        ("TLSv1.2", (1, 2)),
        ("1.10", (1, 10)),
        (None, None),
        ("", None),
        ("Default", None),
        ("1", None),
        ("1.2.3", None),
    ],
)
def test_tls_versions(text: str | None, version: tuple[int, int] | None) -> None:
    assert normalise.tls_version(text) == version


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("True", True),
        (" FALSE ", False),
        ("", None),
        ("yes", None),
        (None, None),
        (1, None),
        (0, None),
    ],
)
def test_bool_like_strings(value: object, truth: bool | None) -> None:
    assert normalise.truth(value) is truth


def test_orders_and_defaults_do_not_count() -> None:
    for order in itertools.permutations(("1", "2", "3")):
        assert normalise.zones(order) == ("1", "2", "3")
    assert normalise.zones(()) == ()
    assert normalise.replicas(None) == normalise.replicas(1) == 1
    assert normalise.shards(None) == normalise.shards(0) == 0
    assert normalise.identity_kinds("None") == normalise.identity_kinds(None) == frozenset()
    assert normalise.identity_kinds("SystemAssigned, UserAssigned") == {"userassigned", "systemassigned"}
    assert normalise.identity_kinds("userassigned,systemassigned") == {"userassigned", "systemassigned"}
    assert normalise.id_set(["/a/B", "/c"]) == normalise.id_set(["/C/", "/A/b"])


@pytest.mark.parametrize(
    ("name", "cache", "own"),
    [
        ("office", "orders", "office"),
        ("orders/office", "orders", "office"),
        ("Orders/Office", "orders", "Office"),
        ("orders/office", None, "office"),
        ("other/office", "orders", "other/office"),
    ],
)
def test_rule_names(name: str, cache: str | None, own: str) -> None:
    assert normalise.rule_name(name, cache) == own


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_rules_are_one_by_name_and_range(start: IPv4Address, end: IPv4Address) -> None:
    a = FirewallRuleFacts("office", str(start), str(end))
    assert normalise.same_rule(a, FirewallRuleFacts("orders/OFFICE", f" {start}", f"{end} "))
    assert not normalise.same_rule(a, FirewallRuleFacts("home", str(start), str(end)))
    assert normalise.same_range(a, FirewallRuleFacts("home", str(start), str(end)))
    assert normalise.bounds(a) == (int(start), int(end))
    if start != end:
        assert not normalise.same_rule(a, FirewallRuleFacts("office", str(end), str(start)))


def test_an_invalid_address_equals_only_itself() -> None:
    odd = FirewallRuleFacts("office", "Any", "10.0.0.256")
    assert normalise.same_rule(odd, FirewallRuleFacts("office", "any", "10.0.0.256"))
    assert not normalise.same_rule(odd, FirewallRuleFacts("office", "any", "10.0.0.255"))
    assert normalise.bounds(odd) is None
