"""A CRD that is missing, older, or replaced by an older one: said, waited out, never fought."""

import copy
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from benchmarks import requests
from sandbox.chart.render import ROOT
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from secure_redis.cli.served import NOT_INSTALLED
from tests.controlplane import install_crds, serves
from tests.faults import operators
from tests.faults.operators import Operator
from tests.faults.scenarios import PUBLISH, Stage
from tests.kube import Kube

NAME = "securerediscaches.secureredis.io"
API = "apiextensions.k8s.io/v1"
LOST = ("endpoint", "pending", "rotation")  # what an older CRD does not know, beside compliance.passedRules


def older() -> dict[str, Any]:
    """The CRD as it was before these fields."""
    crd: dict[str, Any] = copy.deepcopy(
        yaml.safe_load((ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text())
    )
    for version in crd["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        rules = schema["x-kubernetes-validations"]
        schema["x-kubernetes-validations"] = [one for one in rules if not any(f".{f}" in one["rule"] for f in LOST)]
        status = schema["properties"]["status"]["properties"]
        for field in LOST:
            del status[field]
        del status["compliance"]["properties"]["passedRules"]
        version["additionalPrinterColumns"] = []
    return crd


def ready(operator: Operator) -> tuple[int, str]:
    """Return the answer of /readyz."""
    served = operator.said("health and metrics are served")
    if served is None:
        return 0, ""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{served['port']}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def says(operator: Operator, text: str) -> bool:
    status, body = ready(operator)
    return status == 503 and text in body


@pytest.fixture
def kube(world: World) -> Kube:
    return Kube(world.cluster.kubeconfig)


@pytest.fixture
def stage(world: World) -> Stage:
    return PUBLISH.stage(world)


@contextmanager
def running(world: World, stage: Stage) -> Iterator[Operator]:
    operator = operators.start(world, operators.operator_kubeconfig(world), stage.team.namespace)
    try:
        yield operator
        operator.child.check()
    except Exception as error:
        error.add_note(f"the operator's last words:\n{operator.child.tail()}")
        raise
    finally:
        operator.child.kill()


def test_it_waits_for_a_crd_and_for_a_new_one(world: World, kube: Kube, stage: Stage) -> None:
    kube.delete("CustomResourceDefinition", NAME, api_version=API)
    wait_for(lambda: kube.get("CustomResourceDefinition", NAME, api_version=API) is None, PATIENCE, "the CRD to go")
    with running(world, stage) as operator:
        wait_for(lambda: says(operator, NOT_INSTALLED), PATIENCE, "it to say that there is no CRD")
        kube.apply(older())
        wait_for(
            lambda: says(operator, "older than this operator: run kubectl apply --server-side -f crds/"),
            PATIENCE,
            "it to report the older CRD",
        )
        assert "status.compliance.passedRules" in ready(operator)[1]
        wait_for(lambda: serves(kube, NAME), PATIENCE, "the older CRD to be served")
        world.apply(stage.document)
        waits = [e for e in operator.entries() if e.get("message") == "waiting: resources cannot be served"]
        assert len(waits) == 2, "each obstacle is said once"
        install_crds(kube)
        wait_for(lambda: ready(operator)[0] == 200, PATIENCE, "it to be ready")
        world.await_condition(stage.document, "Ready", "True")
        assert world.get(stage.document)["status"]["compliance"]["passedRules"]  # type: ignore[index]


def test_an_older_crd_at_run_time_is_not_fought(world: World, kube: Kube, stage: Stage) -> None:
    install_crds(kube)
    with running(world, stage) as operator:
        world.apply(stage.document)
        world.await_condition(stage.document, "Ready", "True")
        kube.apply(older())
        wait_for(lambda: serves(kube, NAME), PATIENCE, "the older CRD to be served")

        def refreshed(value: str) -> bool:
            found = world.get(stage.document) or {}
            return bool(found["status"].get("lastHandled", {}).get("refresh") == value)

        def look() -> None:
            value = uuid.uuid4().hex
            world.api.merge(stage.document, {"metadata": {"annotations": {"secureredis.io/refresh": value}}}).must()
            wait_for(lambda: refreshed(value), PATIENCE, "the request to be answered")

        look()  # writes, and finds that fields are dropped
        wait_for(lambda: says(operator, "older than this operator"), PATIENCE, "it to report the older CRD")

        def passes() -> int:
            return len([entry for entry in operator.entries() if entry.get("message") == "pass ended"])

        version = (world.get(stage.document) or {})["metadata"]["resourceVersion"]
        mark = world.cluster.audit_position()
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": stage.name, "namespace": stage.team.namespace},
        }
        for number in range(3):  # wakes passes that have nothing to report
            before = passes()
            world.api.merge(secret, {"metadata": {"annotations": {"noise": str(number)}}}).must()
            wait_for(lambda observed=before: passes() > observed, PATIENCE, "a pass")  # type: ignore[misc]
        writes = [
            event
            for event in requests.operators(world.cluster, mark)
            if event.resource == "securerediscaches" and event.verb in ("patch", "update")
        ]
        assert writes == []
        assert (world.get(stage.document) or {})["metadata"]["resourceVersion"] == version
        install_crds(kube)
        wait_for(lambda: ready(operator)[0] == 200, PATIENCE, "it to be ready again")
        look()
        assert (world.get(stage.document) or {})["status"]["compliance"]["passedRules"]
