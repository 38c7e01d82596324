import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess import connection_secret
from secure_redis.domain.assess.connection.forms import ENTRIES, FORMATS
from secure_redis.domain.assess.connection_secret import ConnectionData, differs, unreserved
from secure_redis.domain.assess.key_value import LONGEST_KEY
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.keys import Slot
from tests.builders.managed_redis import database, managed
from tests.builders.world import PRIMARY, UID, VERSION, built, cache, published, resource, text, vault

URI = "rediss://default:pR1m%2Bary%2FKey0000000000000000000000000000000%3D@orders.redis.cache.windows.net:6380/0"
PRINTABLE = "".join(chr(code) for code in range(33, 127) if chr(code) != ",")
passwords = st.text(PRINTABLE, min_size=1, max_size=LONGEST_KEY)
databases = st.integers(0, 15)


OF_MANAGED_REDIS = {"cluster-policy", "server-name"}


def of_managed(**changes: Any) -> dict[str, str]:
    """The entries of a cluster's Secret."""
    known = database(**{"access_keys": "Enabled", "port": 10000, "clustering_policy": "NoCluster", **changes})
    cluster = managed(host_name="Orders.westeurope.redis.azure.net", database=known)
    data = connection_secret.build(resource(), cluster, SecretStr(PRIMARY), vault=vault(), slot=Slot.PRIMARY)
    assert isinstance(data, ConnectionData), data
    return {name: text(data, name) for name in data.data}


@pytest.mark.parametrize("policy", ["NoCluster", "EnterpriseCluster", "OSSCluster"])
def test_a_managed_cluster_names_its_policy_and_for_nodes_by_address_the_server_name(policy: str) -> None:
    host = "orders.westeurope.redis.azure.net"
    entries = of_managed(clustering_policy=policy)
    assert (entries["host"], entries["port"], entries["cluster-policy"]) == (host, "10000", policy)
    assert entries.get("server-name") == (host if policy == "OSSCluster" else None)
    assert entries["uri"].startswith("rediss://")
    assert entries["uri"].endswith(f"@{host}:10000/0")


@pytest.mark.parametrize("protocol", ["Plaintext", None, "Soon"])
def test_a_managed_cluster_whose_one_port_may_not_speak_tls_is_not_published(protocol: str | None) -> None:
    known = database(access_keys="Enabled", port=10000, client_protocol=protocol)
    found = connection_secret.build(
        resource(),
        managed(host_name="orders.redis.azure.net", database=known),
        SecretStr(PRIMARY),
        vault=vault(),
        slot=None,
    )
    assert isinstance(found, Explanation)
    assert found.reason is Reason.PLAINTEXT_PROTOCOL


def test_the_standard_forms() -> None:
    data = built()
    assert {name: text(data, name) for name in data.data} == {
        "type": "redis",
        "provider": "azure",
        "host": "orders.redis.cache.windows.net",
        "port": "6380",
        "username": "default",
        "password": PRIMARY,
        "database": "0",
        "uri": URI,
        "url": URI,
    }
    assert data.labels == {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "orders"}
    assert data.annotations == {
        names.SECRET_RESOURCE: "orders",
        names.SECRET_UID: UID,
        names.SECRET_SOURCE: "https://shop.vault.azure.net/secrets/orders-key",
        names.SECRET_VERSION: VERSION,
        names.SECRET_SLOT: "Primary",
        names.SECRET_NOT_AFTER: "2027-11-24T00:00:00Z",
    }


HOST = "orders.redis.cache.windows.net"
ADDRESS = "orders.redis.cache.windows.net:6380"


@pytest.mark.parametrize(
    ("chosen", "entries"),
    [
        ("Spring", {"spring.data.redis.url": URI, "spring.data.redis.database": "0"}),
        ("Celery", {"celery": f"{URI}?ssl_cert_reqs=required&ssl_check_hostname=true"}),
        (
            "StackExchange",
            {"stackexchange": f"{ADDRESS},password={PRIMARY},ssl=True,abortConnect=False,defaultDatabase=0"},
        ),
        ("Bull", {"bull": f"{URI}?tls=true"}),
        ("Address", {"address": ADDRESS}),
    ],
)
def test_each_format_is_published_alone(chosen: str, entries: dict[str, str]) -> None:
    data = built(resource({"connection": {"formats": [chosen]}}))
    assert {name: text(data, name) for name in data.data} == {"type": "redis", "provider": "azure", **entries}


def test_all_formats_are_published_together() -> None:
    data = built(resource({"connection": {"formats": list(FORMATS)}}), ca="PEM")
    assert set(data.data) == set(ENTRIES) - {"ssl", *OF_MANAGED_REDIS}


def test_no_entry_is_empty_and_none_stops_spring() -> None:
    """Clients send an empty user name, and Spring Boot 3.1 and later does not start with `ssl`."""
    data = built(resource({"connection": {"formats": list(FORMATS)}}))
    assert all(value.get_secret_value() for value in data.data.values())
    assert "ssl" not in data.data


def test_an_entry_that_env_names_is_published_too() -> None:
    env = [{"name": name.upper(), "key": name} for name in ("stackexchange", "ssl")]
    of = resource({"workloads": [{"id": "app", "kind": "Deployment", "name": "app", "env": env}]})
    assert set(built(of).data) == set(built().data) | {"stackexchange", "ssl"}


@given(password=passwords, database=databases)
def test_clients_read_the_intended_values(password: str, database: int) -> None:
    data = built(resource({"connection": {"database": database, "formats": list(FORMATS)}}), password)
    for name in ("uri", "url", "spring.data.redis.url", "celery", "bull"):
        uri = urlsplit(text(data, name))
        assert (uri.scheme, uri.hostname, uri.port, uri.path) == ("rediss", HOST, 6380, f"/{database}")
        assert (uri.username, unquote(uri.password or "")) == ("default", password)
    for name in ("uri", "celery"):
        pool = redis.Redis.from_url(text(data, name)).connection_pool
        assert issubclass(pool.connection_class, redis.SSLConnection)
        arguments = pool.connection_kwargs
        assert (arguments["username"], arguments["password"]) == ("default", password)
        assert (arguments["host"], arguments["port"]) == (HOST, 6380)
        assert arguments.get("db", 0) == database
    assert arguments["ssl_cert_reqs"] == "required"
    # StackExchange splits at commas and takes each part's text after the first "=".
    endpoint, *options = text(data, "stackexchange").split(",")
    parsed = dict(option.split("=", 1) for option in options)
    assert endpoint == ADDRESS
    assert parsed == {
        "password": password,
        "ssl": "True",
        "abortConnect": "False",
        "defaultDatabase": str(database),
    }


@given(
    password=passwords,
    database=databases,
    extra=st.dictionaries(st.text(PRINTABLE, min_size=1, max_size=20), st.sampled_from(sorted(ENTRIES)), max_size=5),
)
def test_nothing_that_is_built_is_plaintext(password: str, database: int, extra: dict[str, str]) -> None:
    declared = {"database": database, "keys": extra, "formats": list(FORMATS)}
    data = built(resource({"connection": declared}), password, ca="-----BEGIN")
    for name in data.data:
        if extra.get(name, name) == "password":
            continue
        # The key itself may contain anything; the StackExchange form contains it as it is.
        rest = text(data, name).replace(f",password={password},", ",")
        assert not re.search(r"(?<![a-z])redis://", rest, re.IGNORECASE)
        assert not re.search(r"ssl=false", rest, re.IGNORECASE)
        assert ":6379" not in rest
    assert text(data, "port") == "6380"


@given(value=st.text(max_size=600))
def test_any_value_is_published_whole_or_refused_without_being_shown(value: str) -> None:
    data = connection_secret.build(resource(), cache(), SecretStr(value), vault=vault(), slot=None)
    if isinstance(data, Explanation):
        assert data.reason is Reason.KEY_MALFORMED
        assert len(value) < 12 or value not in data.message
    else:
        assert text(data, "password") == value
        assert unquote(urlsplit(text(data, "uri")).password or "") == value


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"host_name": None}, Reason.AZURE_ERROR),
        ({"tls_port": None}, Reason.AZURE_ERROR),
        ({"host_name": None, "provisioning_state": "Creating"}, Reason.PROGRESSING),
        ({"host_name": "orders.test/x"}, Reason.AZURE_ERROR),
        ({"host_name": "user@orders.test"}, Reason.AZURE_ERROR),
        ({"host_name": "orders.test,ssl=False"}, Reason.AZURE_ERROR),
        ({"host_name": "orders.test\n"}, Reason.AZURE_ERROR),
        ({"host_name": "localhost"}, Reason.AZURE_ERROR),
        ({"tls_port": 6379}, Reason.AZURE_ERROR),
        ({"tls_port": 7000, "plaintext_port": 7000}, Reason.AZURE_ERROR),
        ({"tls_port": 0}, Reason.AZURE_ERROR),
        ({"tls_port": 65536}, Reason.AZURE_ERROR),
    ],
)
def test_without_a_tls_endpoint_nothing_is_built(changes: dict[str, Any], reason: Reason) -> None:
    data = connection_secret.build(resource(), cache(**changes), SecretStr(PRIMARY), vault=vault(), slot=None)
    assert isinstance(data, Explanation)
    assert data.reason is reason


@pytest.mark.parametrize(("changes", "what"), [({"host_name": None}, "host name"), ({"tls_port": None}, "TLS port")])
def test_the_refusal_names_what_is_missing(changes: dict[str, Any], what: str) -> None:
    data = connection_secret.build(resource(), cache(**changes), SecretStr(PRIMARY), vault=vault(), slot=None)
    assert isinstance(data, Explanation)
    assert what in data.message


def test_the_port_is_the_observed_one() -> None:
    data = built(facts=cache(tls_port=10000))
    assert text(data, "port") == "10000"
    assert ":10000/0" in text(data, "uri")


def test_the_ca_only_where_one_is_needed() -> None:
    mapped = resource({"connection": {"keys": {"CA": "ca.crt"}}})
    assert {"ca.crt", "CA"}.isdisjoint(built(mapped).data)
    with_ca = built(mapped, ca="PEM")
    assert text(with_ca, "ca.crt") == text(with_ca, "CA") == "PEM"


def test_further_keys_repeat_and_never_replace() -> None:
    data = built(
        resource(
            {
                "connection": {
                    "keys": {
                        "REDIS_PASSWORD": "password",
                        "REDIS_URL": "uri",
                        "password": "host",
                        "uri": "host",
                        "..evil": "host",
                        "a/b": "host",
                        "REDIS_PLAIN": "plaintext",
                        "REDIS_TLS": "ssl",
                        "REDIS_NET": "stackexchange",
                        "TYPE": "type",
                    }
                }
            }
        )
    )
    assert text(data, "REDIS_PASSWORD") == text(data, "password") == PRIMARY
    assert text(data, "REDIS_URL") == text(data, "uri")
    assert text(data, "REDIS_TLS") == "true"
    assert set(data.data) == set(built().data) | {"REDIS_PASSWORD", "REDIS_URL", "REDIS_TLS", "REDIS_NET"}
    assert json.loads(data.annotations[names.SECRET_ENTRIES])["REDIS_TLS"] == "true"


RESERVED = [
    "kubernetes.io/x",
    "app.kubernetes.io/managed-by",
    "a.b.k8s.io/x",
    "argocd.argoproj.io/instance",
    "secureredis.io/cache",
    "x.secureredis.io/cache",
    "SecureRedis.io/cache",
    " secureredis.io/cache",
    "reflector.v1.k8s.emberstack.com/reflection-allowed",
    "Replicator.V1.Mittwald.DE/replicate-to",
    "synator/sync",
]


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_never_pass(name: str) -> None:
    assert unreserved({name: "x", "team": "y"}) == {"team": "y"}
    data = built(resource({"connection": {"labels": {name: "x"}, "annotations": {name: "x"}}}))
    assert "x" not in (*data.labels.values(), *data.annotations.values())


@pytest.mark.parametrize("name", ["team", "example.com/team", "notkubernetes.io/x", "secureredis.io.example.com/x"])
def test_other_names_pass(name: str) -> None:
    assert unreserved({name: "x"}) == {name: "x"}


def test_equal_values_do_not_differ() -> None:
    data = built()
    assert differs(published(data), data) == ()
    other = {**data.labels, "someone-else": "x"}
    assert differs(published(data, labels=other), data) == ()


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - {"ca.crt", "ssl", *OF_MANAGED_REDIS}))
def test_each_tampered_key_is_named(name: str) -> None:
    data = built(resource({"connection": {"formats": list(FORMATS)}}))
    there = published(data)
    assert differs(published(data, data={**there.data, name: SecretBytes(b"other")}), data) == (f"data.{name}",)
    without = {key: value for key, value in there.data.items() if key != name}
    assert differs(published(data, data=without), data) == (f"data.{name}",)


def test_extra_and_stale_data_are_named() -> None:
    data = built()
    there = published(data)
    assert differs(published(data, data={**there.data, "REDIS_URL": SecretBytes(b"redis://x")}), data) == (
        "data.REDIS_URL",
    )
    assert differs(published(data, type="Opaque"), data) == ("type",)
    assert differs(published(data, labels={}), data) == (f"labels[{names.MANAGED_BY}]", f"labels[{names.CACHE_LABEL}]")
    unslotted = built(slot=None)
    assert differs(there, unslotted) == (f"annotations[{names.SECRET_SLOT}]",)
    assert differs(there, built(vault=vault(version="f" * 32))) == (f"annotations[{names.SECRET_VERSION}]",)


def test_nothing_shows_the_key() -> None:
    data = built(resource({"connection": {"keys": {"P": "password"}}}))
    assert PRIMARY not in repr(data)
    assert PRIMARY not in repr(differs(published(data), built(password="other")))
