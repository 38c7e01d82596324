"""Which settings of which workloads name the cache without TLS, and which keys may be searched for elsewhere."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.plaintext import (
    Config,
    config_maps,
    plaintext_uses,
    unread,
)
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    ProvenBy,
    Slot,
)
from secure_redis.domain.observe.leak_search import keys_to_search
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.usage import NOTHING, ClearText, ConfigFacts
from secure_redis.domain.observe.workloads import WorkloadFacts
from secure_redis.kube.workloads.config_maps import facts
from secure_redis.kube.workloads.convert import workload
from tests.builders.world import PRIMARY, SECONDARY, cache, observation, resource, vault

HOST = "orders.redis.cache.windows.net"
IN_CLEAR = f"redis://:{PRIMARY}@{HOST}/0"
SAFE = f"rediss://:{PRIMARY}@{HOST}:6380/0"
LISTED = resource({"workloads": [{"id": "app", "kind": "Deployment", "name": "app", "containers": ["main"]}]})
BLIND = Unknown(Reason.NO_WORKLOAD_RIGHTS, "no right")


def app(*, consents: bool = True, volumes: list[dict[str, Any]] | None = None, **container: Any) -> WorkloadFacts:
    """A Deployment as the API server delivers it, in the domain's words."""
    meta: dict[str, Any] = {"name": "app", "uid": "u", "resourceVersion": "1"}
    if consents:
        meta |= {"labels": {names.INJECT: "true"}, "annotations": {names.RESOURCES: "orders"}}
    pod = {"containers": [{"name": "main", **container}], "volumes": volumes or []}
    return workload({"kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": pod}}}, "orders")


def maps(**settings: dict[str, str]) -> dict[str, ConfigFacts | None | Unknown]:
    return {name: facts({"data": data}) for name, data in settings.items()}


def clear_settings(found: WorkloadFacts, config: Config) -> list[tuple[str, str]]:
    return [(use.variable, use.source) for use in plaintext_uses(LISTED, (found,), HOST, config)]


def from_map(variable: str, key: str, name: str = "conf") -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}


def all_of(name: str = "conf", prefix: str = "") -> dict[str, Any]:
    return {"configMapRef": {"name": name}, "prefix": prefix}


def literal(variable: str, value: str) -> dict[str, Any]:
    return {"name": variable, "value": value}


MOUNT: dict[str, Any] = {"volumeMounts": [{"name": "files", "mountPath": "/etc/app"}]}
MAP_FILES = [{"name": "files", "configMap": {"name": "conf"}}]


@pytest.mark.parametrize(
    ("container", "settings", "expected"),
    [
        ({"env": [literal("URL", IN_CLEAR)]}, {}, [("URL", "env")]),
        ({"env": [from_map("URL", "url")]}, {"url": IN_CLEAR}, [("URL", "ConfigMap 'conf'")]),
        ({"env": [from_map("URL", "none")]}, {"url": IN_CLEAR}, []),
        ({"envFrom": [all_of()]}, {"URL": IN_CLEAR, "SAFE": SAFE}, [("URL", "ConfigMap 'conf'")]),
        ({"envFrom": [all_of(prefix="A_")]}, {"URL": IN_CLEAR}, [("A_URL", "ConfigMap 'conf'")]),
        # One setting from here and one from there make a connection.
        (
            {"env": [literal("REDIS_HOST", HOST)], "envFrom": [all_of()]},
            {"REDIS_PORT": "6379"},
            [("REDIS_PORT", "ConfigMap 'conf'")],
        ),
        (
            {"env": [from_map("REDIS_HOST", "the-host"), literal("REDIS_SSL", "false")]},
            {"the-host": HOST},
            [("REDIS_SSL", "env")],
        ),
        # env has precedence over envFrom.
        ({"env": [literal("URL", SAFE)], "envFrom": [all_of()]}, {"URL": IN_CLEAR}, []),
        ({"env": [literal("URL", f"redis://x.{HOST}")]}, {}, []),
        ({"env": [literal("URL", IN_CLEAR.replace("orders.", "orders.privatelink."))]}, {}, [("URL", "env")]),
    ],
)
def test_variables(container: dict[str, Any], settings: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert clear_settings(app(**container), maps(conf=settings)) == expected


def taken(variable: str, key: str, source: str = "orders") -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": source, "key": key}}}


BULL = "entry {!r} of the Secret, which Bull opens without TLS"
CELERY = "entry {!r} of the Secret, whose server Celery does not verify by default"
N8N = ("QUEUE_BULL_REDIS_HOST", "a container without QUEUE_BULL_REDIS_TLS=true")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ([taken("BULL_REDIS_URL", "uri")], [("BULL_REDIS_URL", BULL.format("uri"))]),
        ([taken("REDIS_BULL", "url")], [("REDIS_BULL", BULL.format("url"))]),
        ([taken("BULL_URL", "OWN")], [("BULL_URL", BULL.format("OWN"))]),
        ([taken("BULL_URL", "COPY")], [("BULL_URL", BULL.format("COPY"))]),
        ([taken("BULL_URL", "bull")], []),
        ([taken("CELERY_BROKER_URL", "uri")], [("CELERY_BROKER_URL", CELERY.format("uri"))]),
        ([taken("AIRFLOW__CELERY__BROKER_URL", "url")], [("AIRFLOW__CELERY__BROKER_URL", CELERY.format("url"))]),
        ([taken("CELERY_BROKER_URL", "celery"), taken("CELERY_PASSWORD", "password")], []),
        ([taken("BULL_URL", "SWITCHED")], []),
        ([taken("BULL_URL", "uri", "theirs")], []),
        ([taken("BULLMQ_URL", "uri"), taken("REDIS_URL", "uri"), taken("BULL_PASSWORD", "password")], []),
        ([taken("QUEUE_BULL_REDIS_HOST", "host")], [N8N]),
        ([literal("QUEUE_BULL_REDIS_HOST", HOST)], [N8N]),
        ([literal("QUEUE_BULL_REDIS_HOST", "other.example")], []),
        ([taken("QUEUE_BULL_REDIS_HOST", "host"), literal("QUEUE_BULL_REDIS_TLS", "true")], []),
        ([taken("QUEUE_BULL_REDIS_HOST", "host"), taken("QUEUE_BULL_REDIS_TLS", "ssl")], []),
        ([taken("QUEUE_BULL_REDIS_HOST", "host"), from_map("QUEUE_BULL_REDIS_TLS", "tls")], []),
        ([taken("QUEUE_BULL_REDIS_HOST", "host"), literal("QUEUE_BULL_REDIS_TLS", "maybe")], [N8N]),
    ],
)
def test_clients_that_do_not_verify_or_use_no_tls(env: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    template = {"OWN": "rediss://{host}:{port}", "SWITCHED": "rediss://{host}:{port}?tls=true"}
    of = resource(
        {
            "workloads": LISTED.spec.model_dump(by_alias=True)["workloads"],
            "connection": {"template": template, "keys": {"COPY": "uri"}},
        }
    )
    found = plaintext_uses(of, (app(env=env),), HOST, maps(conf={"tls": "True"}))
    assert [(use.variable, use.source) for use in found] == expected


def test_n8n_is_on_clear_text_where_its_switch_says_so() -> None:
    env = [taken("QUEUE_BULL_REDIS_HOST", "host"), literal("QUEUE_BULL_REDIS_TLS", "false")]
    assert clear_settings(app(env=env), {}) == [N8N]


def test_the_later_of_two_config_maps_wins() -> None:
    config = maps(one={"URL": IN_CLEAR}, two={"URL": SAFE})
    assert clear_settings(app(envFrom=[all_of("one"), all_of("two")]), config) == []
    assert clear_settings(app(envFrom=[all_of("two"), all_of("one")]), config) == [("URL", "ConfigMap 'one'")]


def test_files_of_a_config_map_are_searched_where_they_are_mounted() -> None:
    config = maps(conf={"app.yaml": f"redis:\n  host: {HOST}\n  port: 6379\n", "safe.yaml": SAFE})
    expected = [("app.yaml", "a file of ConfigMap 'conf'")]
    assert clear_settings(app(volumes=MAP_FILES, **MOUNT), config) == expected
    assert clear_settings(app(volumes=MAP_FILES), config) == []  # no container mounts it
    projected = [{"name": "files", "projected": {"sources": [{"secret": {"name": "s"}}, MAP_FILES[0]]}}]
    assert clear_settings(app(volumes=projected, **MOUNT), config) == expected
    one = {"name": "conf", "items": [{"key": "safe.yaml", "path": "x"}]}
    assert clear_settings(app(volumes=[{"name": "files", "configMap": one}], **MOUNT), config) == []


def test_config_maps_of_a_workload_that_does_not_consent_are_not_read() -> None:
    shy = app(consents=False, envFrom=[all_of()], env=[literal("URL", IN_CLEAR)])
    assert config_maps(LISTED, (shy,)) == ()
    assert clear_settings(shy, maps(conf={"OTHER": IN_CLEAR})) == [("URL", "env")]
    why = unread(LISTED, (shy,), {})
    assert why is not None
    assert "does not consent" in why.message
    assert unread(LISTED, (app(consents=False),), {}) is None


def test_only_what_listed_workloads_refer_to_is_read() -> None:
    found = app(envFrom=[all_of("b")], env=[from_map("X", "x", "a")], volumes=MAP_FILES, **MOUNT)
    assert config_maps(LISTED, (found,)) == ("a", "b", "conf")
    assert config_maps(LISTED, (replace(found, name="another"), replace(found, deleting=True))) == ()


def test_an_unreadable_config_map_is_reported_and_a_missing_one_contains_nothing() -> None:
    found = app(envFrom=[all_of("a"), all_of("b")])
    assert unread(LISTED, (found,), {"a": None, "b": BLIND}) is BLIND
    assert unread(LISTED, (found,), {"a": None, "b": ConfigFacts({"x": NOTHING})}) is None


def test_no_value_crosses_the_wall() -> None:
    found = app(env=[literal("URL", IN_CLEAR), literal("PASSWORD", "hunter.two")])
    assert PRIMARY not in repr(found)
    assert "hunter" not in repr(found)
    assert found.containers[0].env[0].clear == ClearText(hosts=(HOST,))


# --- the key --------------------------------------------------------------------------------------------------------


def test_keys_that_azure_listed_are_looked_for() -> None:
    listed = observation(keys=ListedKeys(SecretStr(PRIMARY), SecretStr(SECONDARY)))
    assert [key.get_secret_value() for key in plain(keys_to_search(listed))] == [PRIMARY, SECONDARY]


@pytest.mark.parametrize(
    ("changes", "looked_for"),
    [
        ({"authentication": AuthenticationResult.ACCEPTED}, True),
        ({"proven": Proven(ProvenBy.AUTHENTICATED, None)}, True),
        ({"proven": Proven(ProvenBy.LISTED, Slot.PRIMARY)}, True),
        # If the vault's tag were enough, its owner could find out what other Secrets contain.
        ({"proven": Proven(ProvenBy.TAGGED, None)}, False),
        ({}, False),
        ({"authentication": AuthenticationResult.REFUSED}, False),
        # A cache that requires no key accepts any.
        ({"authentication": AuthenticationResult.ACCEPTED, "cache": cache(authentication_disabled=True)}, False),
        ({"proven": Proven(ProvenBy.LISTED, Slot.PRIMARY), "vault": BLIND}, False),
    ],
)
def test_a_vaults_value_is_searched_only_if_no_one_could_have_chosen_it(
    changes: dict[str, Any], looked_for: bool
) -> None:
    found = keys_to_search(observation(**{"keys": NOT_READ, "vault": vault(), **changes}))
    assert isinstance(found, tuple) is looked_for
    if not looked_for:
        assert isinstance(found, Unknown)
        assert found.permission == "Microsoft.Cache/redis/listKeys/action"


def plain(found: tuple[SecretStr, ...] | Unknown) -> tuple[SecretStr, ...]:
    assert isinstance(found, tuple)
    return found
