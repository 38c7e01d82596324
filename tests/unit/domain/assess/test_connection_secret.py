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
from secure_redis.domain.assess.connection_secret import STANDARD_KEYS, differs, unreserved
from secure_redis.domain.assess.key_value import LONGEST_KEY
from secure_redis.domain.explanation import Explanation
from tests.builders.world import PRIMARY, UID, VERSION, built, cache, published, resource, text, vault

PRINTABLE = "".join(chr(code) for code in range(33, 127) if chr(code) != ",")
passwords = st.text(PRINTABLE, min_size=1, max_size=LONGEST_KEY)
databases = st.integers(0, 15)


def test_the_standard_forms() -> None:
    data = built()
    assert {name: text(data, name) for name in data.data} == {
        "type": "redis",
        "provider": "azure",
        "host": "orders.redis.cache.windows.net",
        "port": "6380",
        "username": "",
        "password": PRIMARY,
        "uri": "rediss://:pR1m%2Bary%2FKey0000000000000000000000000000000%3D@orders.redis.cache.windows.net:6380/0",
        "ssl": "true",
        "database": "0",
        "stackexchange": f"orders.redis.cache.windows.net:6380,password={PRIMARY},ssl=True,abortConnect=False",
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


@given(password=passwords, database=databases)
def test_clients_read_the_intended_values(password: str, database: int) -> None:
    data = built(resource({"connection": {"database": database}}), password)
    uri = urlsplit(text(data, "uri"))
    assert (uri.scheme, uri.hostname, uri.port) == ("rediss", "orders.redis.cache.windows.net", 6380)
    assert (uri.username, unquote(uri.password or "")) == ("", password)
    client = redis.Redis.from_url(text(data, "uri"))
    pool = client.connection_pool
    assert issubclass(pool.connection_class, redis.SSLConnection)
    arguments = pool.connection_kwargs
    assert arguments["password"] == password
    assert not arguments.get("username")
    assert (arguments["host"], arguments["port"]) == ("orders.redis.cache.windows.net", 6380)
    assert arguments.get("db", 0) == database
    # StackExchange splits at commas and takes each part's text after the first "=".
    endpoint, *options = text(data, "stackexchange").split(",")
    parsed = dict(option.split("=", 1) for option in options)
    assert endpoint == "orders.redis.cache.windows.net:6380"
    assert parsed == {
        "password": password,
        "ssl": "True",
        "abortConnect": "False",
        **({"defaultDatabase": str(database)} if database else {}),
    }


@given(
    password=passwords,
    database=databases,
    extra=st.dictionaries(st.text(PRINTABLE, min_size=1, max_size=20), st.sampled_from(STANDARD_KEYS), max_size=5),
)
def test_nothing_that_is_built_is_plaintext(password: str, database: int, extra: dict[str, str]) -> None:
    data = built(resource({"connection": {"database": database, "keys": extra}}), password, ca="-----BEGIN")
    for name in data.data:
        if extra.get(name, name) == "password":
            continue
        # The key itself may contain anything; the StackExchange form contains it as it is.
        rest = text(data, name).replace(f",password={password},", ",")
        assert not re.search(r"(?<![a-z])redis://", rest, re.IGNORECASE)
        assert not re.search(r"ssl=false", rest, re.IGNORECASE)
        assert ":6379" not in rest
    assert text(data, "ssl") == "true"
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
                    }
                }
            }
        )
    )
    assert text(data, "REDIS_PASSWORD") == text(data, "password") == PRIMARY
    assert text(data, "REDIS_URL") == text(data, "uri")
    assert set(data.data) == set(STANDARD_KEYS) - {"ca.crt"} | {"REDIS_PASSWORD", "REDIS_URL"}


RESERVED = [
    "kubernetes.io/x",
    "app.kubernetes.io/managed-by",
    "a.b.k8s.io/x",
    "argocd.argoproj.io/instance",
    "secureredis.io/cache",
    "x.secureredis.io/cache",
    "SecureRedis.io/cache",
    " secureredis.io/cache",
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


@pytest.mark.parametrize("name", sorted(set(STANDARD_KEYS) - {"ca.crt"}))
def test_each_tampered_key_is_named(name: str) -> None:
    data = built()
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
