"""Every way in which a pod can take something from a Secret, and what a budget's document says."""

from typing import Any

import pytest

from secure_redis.domain.observe.workloads import BudgetFacts, SecretUser, WorkloadFacts
from secure_redis.kube.workloads import consumers, pod_facts
from secure_redis.kube.workloads import convert as workload_facts

Document = dict[str, Any]
REF = {"valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}}}
ENV: Document = {"name": "c", "env": [{"name": "PLAIN", "value": "orders"}, {"name": "URI", **REF}]}
ENV_FROM: Document = {"name": "c", "envFrom": [{"configMapRef": {"name": "x"}}, {"secretRef": {"name": "orders"}}]}
VOLUME: Document = {"name": "v", "secret": {"secretName": "orders"}}
PROJECTED: Document = {
    "name": "v",
    "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"secret": {"name": "orders"}}]},
}


@pytest.mark.parametrize(
    "spec",
    [
        *({kind: [{"name": "other"}, one]} for kind in ("containers", "initContainers") for one in (ENV, ENV_FROM)),
        {"containers": [{"name": "a"}], "ephemeralContainers": [ENV]},
        {"containers": [{"name": "a"}], "ephemeralContainers": [ENV_FROM]},
        {"containers": [{"name": "a"}], "volumes": [{"name": "t", "emptyDir": {}}, VOLUME]},
        {"containers": [{"name": "a"}], "volumes": [PROJECTED]},
    ],
)
def test_a_pod_that_uses_the_secret_is_found(spec: Document) -> None:
    assert pod_facts.uses({"metadata": {"name": "p"}, "spec": spec}, "orders")
    assert not pod_facts.uses({"metadata": {"name": "p"}, "spec": spec}, "order")
    assert not pod_facts.uses({"metadata": {"name": "p"}, "spec": spec}, "x")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"containers": [{"name": "orders", "env": [{"name": "URI", "value": "orders"}]}]},
        {"containers": [{"name": "a"}], "imagePullSecrets": [{"name": "orders"}]},
        {"containers": [{"name": "a"}], "volumes": [{"name": "orders", "configMap": {"name": "orders"}}]},
        {"containers": [{"name": "a", "envFrom": [{"configMapRef": {"name": "orders"}}]}]},
    ],
)
def test_a_similar_value_is_not_one(spec: Document) -> None:
    assert not pod_facts.uses({"metadata": {"name": "p"}, "spec": spec}, "orders")


def pod(kind: str, owner: str, uid: str = "u", **labels: str) -> Document:
    owners = [{"kind": kind, "name": owner, "uid": uid, "controller": True}]
    meta = {"name": f"{owner}-x", "ownerReferences": owners, "labels": labels}
    return {"metadata": meta, "spec": {"containers": [ENV]}, "status": {}}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (pod("ReplicaSet", "web-7f9c", **{"pod-template-hash": "7f9c"}), ("Deployment", "web")),
        (pod("ReplicaSet", "web-7f9c", **{"pod-template-hash": "other"}), None),
        (pod("ReplicaSet", "bare"), None),
        (pod("StatefulSet", "db"), ("StatefulSet", "db")),
        (pod("DaemonSet", "agent"), ("DaemonSet", "agent")),
        (pod("Job", "nightly-29391840"), ("CronJob", "nightly")),
        (pod("Job", "migrate-once"), None),
        (pod("Rollout", "web"), None),
        ({"metadata": {"name": "bare"}}, None),
    ],
)
def test_a_pods_owner_is_found_by_its_controller(body: Document, place: tuple[str, str] | None) -> None:
    assert workload_facts.workload_of(body) == place
    if place is not None:
        assert workload_facts.is_pod_of(body, WorkloadFacts(*place, uid="u", resource_version="1"))
        by_name = place[0] in ("Deployment", "CronJob")  # the object between is named, and has its own uid
        assert workload_facts.is_pod_of(body, WorkloadFacts(*place, uid="v", resource_version="1")) is by_name
        assert not workload_facts.is_pod_of(body, WorkloadFacts(place[0], "x", uid="u", resource_version="1"))


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({"matchLabels": {"app": "web", "tier": "shop"}}, {"app": "web", "tier": "shop", "x": "y"}, True),
        ({"matchLabels": {"app": "web", "tier": "shop"}}, {"app": "web"}, False),
        ({"matchLabels": {"app": "web"}}, {"app": "other"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "3"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1", "2"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1", "2"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        (
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["1", "2"]},
                    {"key": "b", "operator": "DoesNotExist"},
                ],
            },
            {"app": "web", "a": "1"},
            True,
        ),
        ({}, {"a": "b"}, True),
    ],
)
def test_a_selector_matches_the_same_as_its_text(selector: Document, labels: dict[str, str], expected: bool) -> None:
    assert workload_facts.selects(workload_facts.selector_text(selector), labels) is expected


def test_pods_of_an_earlier_object_of_that_name_are_consumers_of_their_own() -> None:
    body = pod("ReplicaSet", "web-7f9c", **{"pod-template-hash": "7f9c", "app": "web"})
    web = WorkloadFacts("Deployment", "web", "u", "1", pod_selector="app=web")
    assert consumers.unlisted([body], "orders", [web], "orders") == []
    renamed = WorkloadFacts("Deployment", "web", "u", "1", pod_selector="app=web2")
    assert [one.name for one in consumers.unlisted([body], "orders", [renamed], "orders")] == ["web-7f9c-x"]
    assert consumers.unlisted([body], "sessions", [renamed], "orders") == []


WEB = WorkloadFacts("Deployment", "web", "u", "1", template_labels={"app": "web", "tier": "shop"})
JOB = WorkloadFacts("CronJob", "nightly", "u", "1")


def document(selector: Document | None, *, generation: int = 1, observed: int = 1, **status: int) -> Document:
    spec: Document = {"maxUnavailable": 0, **({} if selector is None else {"selector": selector})}
    return {
        "metadata": {"name": "keep", "generation": generation},
        "spec": spec,
        "status": {"observedGeneration": observed, **status},
    }


@pytest.mark.parametrize(
    ("selector", "covered"),
    [
        ({"matchLabels": {"app": "web"}}, {("Deployment", "web")}),
        ({"matchLabels": {"app": "web", "tier": "else"}}, set()),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["shop"]}]}, {("Deployment", "web")}),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, {("CronJob", "nightly")}),
        ({}, {("Deployment", "web"), ("CronJob", "nightly")}),
        (None, set()),
    ],
)
def test_a_budget_covers_what_it_selects(selector: Document | None, covered: set[tuple[str, str]]) -> None:
    found = consumers.budget(document(selector, disruptionsAllowed=1, expectedPods=3), (WEB, JOB))
    assert found == BudgetFacts("keep", 1, 3, frozenset(covered))


def test_a_budget_that_its_controller_has_not_observed_allows_nothing() -> None:
    body = document({}, generation=2, disruptionsAllowed=3, expectedPods=3)
    assert consumers.budget(body, (WEB,)) == BudgetFacts("keep", 0, 3, frozenset({("Deployment", "web")}))
    new = {"metadata": {"name": "keep", "generation": 1}, "spec": {"selector": {}}}
    assert consumers.budget(new, (WEB,)) == BudgetFacts("keep", 0, 1, frozenset({("Deployment", "web")}))


@pytest.mark.parametrize("cron", [False, True])
def test_everything_that_names_a_secret_is_a_user_of_it(cron: bool) -> None:
    template = {"spec": {"containers": [ENV], "volumes": [{"name": "w", "secret": {"secretName": "other"}}]}}
    spec: Document = {"jobTemplate": {"spec": {"template": template}}} if cron else {"template": template}
    kind = "CronJob" if cron else "StatefulSet"
    workload = {"kind": kind, "metadata": {"name": "w"}, "spec": spec}
    going = {**workload, "metadata": {"name": "g", "deletionTimestamp": "now"}}
    running = {"kind": "Pod", **pod("StatefulSet", "w")}
    ended = {**running, "status": {"phase": "Succeeded"}}
    found = consumers.users([workload, going, running, ended], frozenset({"orders", "other", "third"}))
    assert found == [
        SecretUser("orders", kind, "w"),
        SecretUser("other", kind, "w"),
        SecretUser("orders", "Pod", "w-x", ("StatefulSet", "w")),
    ]
