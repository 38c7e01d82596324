"""Every key of the configuration reaches the operator.

The test builds the operator's parts twice, with two values of one key, and compares all that the parts keep.
"""

import asyncio
import dataclasses
import functools
import os
import re
import socket
import ssl
import subprocess
import sys
import types
import typing
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import yaml
from aiohttp import web
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from sandbox.waiting import wait_for
from secure_redis.cli.compose import build_reconciler
from secure_redis.cli.config import Config
from secure_redis.cli.config_base import Part
from secure_redis.cli.ending import LastResort
from secure_redis.cli.pass_events import PassEvents
from secure_redis.cli.run import Prepared, _Process
from secure_redis.kube.history import History
from secure_redis.telemetry.health import Health
from secure_redis.telemetry.loop_watch import LoopWatch
from secure_redis.telemetry.metrics import Metrics

Document = dict[str, Any]

GRANT: Document = {
    "namespaces": ["shop"],
    "powers": ["Observe"],
    "caches": ["/subscriptions/s"],
    "vaults": [{"uri": "https://v.test", "secretNames": ["orders"]}],
    "storageAccounts": ["/subscriptions/s"],
    "locations": ["westeurope"],
    "largestSKU": {"name": "Basic", "capacity": 1},
    "largestManagedRedisGB": 20,
}
# Every key, with any legal value. `caBundle` is the path of a file, which the fixture sets.
WHOLE: Document = {
    "cloud": {
        "name": "Custom",
        "custom": {
            "resourceManager": "https://arm.test",
            "resourceManagerScope": "https://arm.test/.default",
            "authority": "https://login.test",
            "vaultSuffixes": ["vault.test"],
            "redisSuffixes": ["redis.test"],
            "managedRedisSuffixes": ["managed.test"],
        },
    },
    "caBundle": "",
    "publishCABundle": True,
    "operatorIdentity": {"type": "WorkloadIdentity", "clientID": "c", "tenantID": "t", "tokenFile": "/f"},
    "grants": [GRANT],
    "caps": [GRANT],
    "namespaces": ["shop"],
    "secrets": {"watch": "Namespace"},
    "workloads": {"enabled": False},
    "compliance": {
        "minimumProfile": "Baseline",
        "waivable": [{"rules": ["R1"], "namespaces": ["shop"], "maxDays": 3}],
        "foreignSecrets": False,
    },
    "leaderElection": {
        "enabled": True,
        "namespace": "ops",
        "leaseDurationSeconds": 30,
        "renewDeadlineSeconds": 20,
        "retryPeriodSeconds": 4,
    },
    "intervals": {
        "absenceConfirmationSeconds": 61,
        "operationPollSeconds": 31,
        "regenerationSettleSeconds": 62,
        "containerStartSeconds": 301,
        "childrenMaxAgeSeconds": 901,
        "surroundingsMaxAgeSeconds": 3601,
        "surroundingsSpreadSeconds": 121,
        "proofSeconds": 3602,
        "serviceAccountSeconds": 32,
        "probeSeconds": 3603,
        "probeTimeoutSeconds": 11,
        "resyncSeconds": 601,
        "drainSeconds": 21,
    },
    "limits": {"resourcesPerNamespace": 101, "identitiesPerNamespace": 11},
    "brakes": {
        "readOnly": False,
        "correctionsPerHour": 102,
        "rotationsPerHour": 103,
        "massDrift": {"share": 0.06, "atLeast": 21, "minimumCorrections": 6},
        "release": "one",
    },
    "defaults": {"profile": "Baseline", "intervalSeconds": 302, "maximumMode": "Provision"},
    "activityLog": {"enabled": True},
    "concurrency": {"passes": 17, "kubernetesRequests": 33, "azureConnections": 65, "probes": 9},
    "health": {"address": "127.0.0.1", "port": 8081},
    "logging": {"level": "INFO"},
}
# The second value, where appending a letter or counting on is not legal.
OTHER: Document = {
    "cloud.custom.resourceManager": "https://other.test",
    "cloud.custom.authority": "https://other.test",
    "operatorIdentity.type": "ManagedIdentity",
    "powers.0": "Provision",
    "uri": "https://other.test",
    "largestSKU.name": "Standard",
    "secrets.watch": "None",
    "compliance.minimumProfile": "Strict",
    "defaults.profile": "Strict",
    "defaults.maximumMode": "Validate",
    "compliance.waivable.0.rules.0": "R2",
}
# `operate` and the start line use these. `test_the_process_serves_and_logs_as_configured` covers them.
OF_THE_PROCESS = {"health.address", "health.port", "logging.level"}
# Keys that several parts take, each by itself.
SEVERAL: dict[str, list[str]] = {
    "caBundle": ["SSLContext.authorities", "prove_at.ca_file", "probe_at.ca_file", "Settings.ca"],
    "leaderElection.namespace": ["LeaseSettings.namespace", "Resources._install"],
    "operatorIdentity.clientID": ["WorkloadIdentity.client_id", "Activity._own"],
    "namespaces.0": ["Served._namespaces", "_Process._namespaces"],
    "workloads.enabled": ["Workloads._enabled", "WorkloadWatches._enabled"],
    "intervals.absenceConfirmationSeconds": [
        "Inventory._confirm",
        "Inventory._confirm",
        "Settings.absence_confirmation",
    ],
    "intervals.childrenMaxAgeSeconds": ["ConfigMaps._ttl", "ForeignSecrets._ttl", "Ages.children"],
    "compliance.foreignSecrets": ["ForeignSecrets._enabled", "WaiverPolicy.foreign_secrets"],
    "activityLog.enabled": ["GovernanceReader._activity", "WriterReader._activity"],
}


def keys_of(part: type[Part], before: str = "") -> Iterator[str]:
    """Every key of the model that has no keys below it."""
    for name, field in part.model_fields.items():
        alias = f"{before}{field.alias or name}"
        inner = list(parts_in(field.annotation))
        if inner:
            for one in inner:
                yield from keys_of(one, f"{alias}.")
        else:
            yield alias


def parts_in(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from parts_in(argument)


def leaves(value: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of the document with its place."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield before, value
        return
    for key, one in inner:
        yield from leaves(one, f"{before}.{key}" if before else str(key))


LEAVES = [place for place, _ in leaves(WHOLE)]


def changed(value: Any, place: str, other: Any) -> Any:
    """Return a copy of the document with another value at the place."""
    key, _, rest = place.partition(".")
    new = changed(value[int(key) if isinstance(value, list) else key], rest, other) if rest else other
    if isinstance(value, list):
        return [*value[: int(key)], new, *value[int(key) + 1 :]]
    return {**value, key: new}


def another(place: str, value: Any) -> Any:
    """Return another legal value."""
    for end, other in OTHER.items():
        if place == end or place.endswith(f".{end}"):
            return other
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value * 1.25 if isinstance(value, float) else f"{value}x"


async def built(document: Document) -> dict[str, tuple[str, str]]:
    """Build all parts of an operator that leads, and return what they keep."""

    async def kube_system(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"uid": "a-cluster"}})

    app = web.Application()
    app.router.add_get("/api/v1/namespaces/kube-system", kube_system)
    runner = web.AppRunner(app)
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        apis = []
        for _ in range(3):
            apis.append(ApiClient(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")))
            stack.push_async_callback(apis[-1].close)

        async def connect_lease() -> ApiClient:
            return apis[2]

        config, metrics = Config.model_validate(document), Metrics()
        health = Health()
        prepared = Prepared(config, config.lease({}))
        watch = LoopWatch(metrics.loop_lag, 60, lambda: None, clock=lambda: 0.0)
        process = _Process(prepared, apis[:2], connect_lease, metrics, health, watch, asyncio.Event(), LastResort())
        elector = await process._elector(prepared.lease) if prepared.lease is not None else None
        client = process._client(apis[0], lambda: None, History())
        clients = process._kube_clients(client)
        brakes = process._brakes(elector)
        events = PassEvents(metrics, process._members, clients.events)
        reconciler = await stack.enter_async_context(
            build_reconciler(
                config,
                clients,
                metrics,
                brakes=brakes,
                members=process._members,
                fence=client.check,
                written=events.written,
                probed=events.probed,
            )
        )
        watches = process._watches(client, clients, events)
        schedule = process._schedule(clients.resources, reconciler, events)
        found: dict[str, tuple[str, str]] = {}
        parts = [process, elector, clients, brakes, reconciler, watches, schedule, health]
        walk(parts, "", ("", ""), found, set())
        return found


def walk(one: Any, path: str, at: tuple[str, str], found: dict[str, tuple[str, str]], known: set[int]) -> None:
    """Collect every simple value that can be reached from an object, by its path, with the object that keeps it."""
    if isinstance(one, Config) or at == ("_Process", "_lease"):
        return  # what only the configuration holds has reached nothing
    if one is None or isinstance(one, bool | int | float | str | bytes | Enum | Path | datetime | timedelta):
        found[path] = (".".join(at), repr(one))
        return
    # Frozen values are small trees. Other objects refer to each other: each is walked once.
    frozen = dataclasses.is_dataclass(one) and one.__dataclass_params__.frozen  # type: ignore[union-attr]
    if not frozen and not isinstance(one, tuple | frozenset):
        if id(one) in known:
            return
        known.add(id(one))
    for name, inner, keeps in contents(one, at):
        walk(inner, f"{path}/{name}", keeps, found, known)


def contents(one: Any, at: tuple[str, str]) -> Iterator[tuple[str, Any, tuple[str, str]]]:
    if isinstance(one, Mapping):
        for key in one:
            yield str(key), one[key], at
    elif isinstance(one, set | frozenset):
        yield "set", tuple(sorted(one, key=repr)), at
    elif isinstance(one, list | tuple | deque):
        for index, inner in enumerate(one):
            yield str(index), inner, at
    elif isinstance(one, types.MethodType):
        yield "self", one.__self__, at
    elif isinstance(one, types.FunctionType):
        for name, cell in zip(one.__code__.co_freevars, one.__closure__ or (), strict=True):
            yield name, cell.cell_contents, (one.__qualname__.partition(".")[0], name)
    elif isinstance(one, ssl.SSLContext):
        yield (
            "authorities",
            tuple(sorted(str(ca["serialNumber"]) for ca in one.get_ca_certs())),
            ("SSLContext", "authorities"),
        )
    elif isinstance(one, aiohttp.ClientSession):
        yield "limit", one.connector.limit if one.connector else None, ("ClientSession", "limit")
    elif isinstance(one, asyncio.Semaphore):
        yield "value", one._value, ("Semaphore", at[0])
    elif type(one).__module__.startswith("secure_redis."):
        names = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in [*getattr(one, "__dict__", ()), *names]:
            if hasattr(one, name):
                yield name, getattr(one, name), (type(one).__name__, name)


def differing(one: Document, other: Document) -> Counter[str]:
    """Return what keeps another value in the second operator, without what differs between any two."""
    first, again = twice(yaml.safe_dump(one))
    second = asyncio.run(built(other))
    by_chance = {path for path in first.keys() | again.keys() if first.get(path) != again.get(path)}
    paths = {path for path in first.keys() | second.keys() if first.get(path) != second.get(path)} - by_chance
    return Counter((first.get(path) or second[path])[0] for path in paths)


@functools.cache
def twice(document: str) -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]]]:
    first, again = (asyncio.run(built(yaml.safe_load(document))) for _ in range(2))
    return first, again


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two files, each with an authority of its own."""
    directory = tmp_path_factory.mktemp("bundles")
    names = ("one", "other")
    for name in names:
        trustme.CA().cert_pem.write_to_path(str(directory / name))
    return str(directory / names[0]), str(directory / names[1])


@pytest.fixture
def whole(bundles: tuple[str, str]) -> Document:
    return {**WHOLE, "caBundle": bundles[0]}


def test_the_document_has_every_key() -> None:
    assert {re.sub(r"\.\d+(?=\.|$)", "", place) for place in LEAVES} == set(keys_of(Config))


def test_nothing_differs_where_nothing_is_changed(whole: Document) -> None:
    """Else every key below would seem to arrive."""
    assert not differing(whole, whole)


@pytest.mark.parametrize("place", [place for place in LEAVES if place not in OF_THE_PROCESS | {"cloud.name"}])
def test_a_key_reaches_the_operator(place: str, whole: Document, bundles: tuple[str, str]) -> None:
    value = dict(leaves(whole))[place]
    found = differing(whole, changed(whole, place, bundles[1] if place == "caBundle" else another(place, value)))
    assert found
    assert Counter(SEVERAL.get(place, [])) <= found


def test_the_cloud_reaches_the_operator(whole: Document) -> None:
    one, other = ({**whole, "cloud": {"name": name}} for name in ("AzureChina", "AzureUSGovernment"))
    assert "Cloud.resource_manager" in differing(one, other)


@pytest.mark.parametrize(("level", "informs"), [("INFO", True), ("WARNING", False)])
def test_the_process_serves_and_logs_as_configured(tmp_path: Path, level: str, informs: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        port = free.getsockname()[1]
    kubeconfig, config = tmp_path / "kubeconfig", tmp_path / "config.yaml"
    cluster = {"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]}  # nothing listens there
    context = {"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "current-context": "c"}
    kubeconfig.write_text(yaml.safe_dump({**cluster, **context, "users": [{"name": "u", "user": {}}]}))
    document = {
        "leaderElection": {"namespace": "ops"},
        "health": {"address": "127.0.0.2", "port": port},
        "logging": {"level": level},
    }
    config.write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "secure_redis", "run", "--config", str(config), "--kubeconfig", str(kubeconfig)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            wait_for(lambda: process.poll() is not None or listens("127.0.0.2", port), 60, "the health server")
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait(60)
    assert ("the operator starts" in (tmp_path / "log").read_text()) is informs


def listens(address: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0
