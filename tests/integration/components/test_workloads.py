"""Injection on a real API server: the operator's entries come and go, and everything else stays byte for byte."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workloads import WorkloadFacts
from secure_redis.domain.plan.actions import InjectWorkload, ReleaseWorkload
from secure_redis.domain.plan.rollout import injection
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube.client import KubeClient
from secure_redis.kube.workloads import convert as workload_facts
from secure_redis.kube.workloads.client import Workloads
from tests.integration.components.workload_support import (
    KINDS,
    Document,
    document,
    entry,
    make,
    now,
    pods_of,
    spec_of,
    template,
    workloads_on,
)
from tests.kube import Kube

__all__ = ["make", "workloads_on"]

BOTH: Document = {"containers": ["main"], "initContainers": ["first"], "env": [{"name": "REDIS_URI", "key": "uri"}]}


@pytest.fixture
async def workloads(client: KubeClient) -> Workloads:
    return Workloads(client)


def without_ours(body: Document, resource: str) -> Document:
    """The object without the operator's entries and without what the API server counts."""
    body = copy.deepcopy(body)
    body.pop("status", None)
    for name in ("managedFields", "generation", "resourceVersion"):
        body["metadata"].pop(name)
    for name in ("deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision"):
        body["metadata"].get("annotations", {}).pop(name, None)
    if not body["metadata"].get("annotations"):
        body["metadata"].pop("annotations", None)
    pods = pods_of(body)
    pods["metadata"].get("annotations", {}).pop(names.version_annotation(resource), None)
    if not pods["metadata"].get("annotations"):
        pods["metadata"].pop("annotations", None)
    volume = names.volume_name(resource)
    spec = pods["spec"]
    spec["volumes"] = [one for one in spec.get("volumes", []) if one["name"] != volume]
    for container in [*spec["containers"], *spec["initContainers"]]:
        env = container.get("env", [])
        container["env"] = [one for one in env if one["name"] not in ("REDIS_URI", names.SERVICE_BINDING_ROOT)]
        container["volumeMounts"] = [one for one in container.get("volumeMounts", []) if one["name"] != volume]
        for field in ("env", "volumeMounts"):
            if not container[field]:
                del container[field]
    return body


async def found(workloads: Workloads, owner: SecureRedisCache, made: Document) -> WorkloadFacts:
    place = (made["kind"], made["metadata"]["name"])
    answer = await workloads.find(owner, (), [place])
    assert not isinstance(answer, Unknown), answer
    return answer[0]


async def injected(
    workloads: Workloads, owner: SecureRedisCache, made: Document, version: str = "v1", **form: Any
) -> WorkloadFacts:
    facts = await found(workloads, owner, made)
    action = injection.inject(owner, entry(made["kind"], facts.name, **form), facts, "orders", version)
    assert isinstance(action, InjectWorkload), action
    assert await workloads.inject(owner, action) is None
    return await found(workloads, owner, made)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "form", [{}, BOTH, {**BOTH, "mountPath": "/keys"}], ids=["service binding", "env", "env and mount"]
)
async def test_injected_and_released_and_nothing_else_touched(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube, kind: str, form: Document
) -> None:
    owner = make()
    resource = owner.key.name
    before = kube.create(document(kind, owner.key.namespace, resource))
    facts = await injected(workloads, owner, before, **form)
    assert facts.template_annotations[names.version_annotation(resource)] == "v1"
    assert facts.owned.annotations == {names.version_annotation(resource)}
    after = now(kube, before)
    assert without_ours(after, resource) == without_ours(before, resource)
    assert "kubectl.kubernetes.io/last-applied-configuration" not in after["metadata"].get("annotations", {})
    if form:
        assert facts.owned.env == {"main": {"REDIS_URI"}, "first": {"REDIS_URI"}}
        main = next(one for one in pods_of(after)["spec"]["containers"] if one["name"] == "main")
        assert {"name": "REDIS_URI", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}}} in main["env"]
        assert [one["name"] for one in main["env"] if one["name"] != "REDIS_URI"] == ["MODE", "SEEN"]
    if not form:
        path = f"/bindings/{resource}"
        assert facts.owned.mounts == {"main": {path}, "side": {path}}
        assert facts.owned.roots == {"main", "side"}
        assert facts.owned.volumes == {names.volume_name(resource)}
    again = injection.inject(owner, entry(kind, facts.name, **form), facts, "orders", "v1")
    assert again is None, "nothing is left to do"
    managers = {
        (one["manager"], one["operation"])
        for one in after["metadata"]["managedFields"]
        if one["manager"] == names.field_manager(resource)
    }
    assert managers == {(names.field_manager(resource), "Apply"), (names.field_manager(resource), "Update")}

    action = injection.release(owner, facts)
    assert isinstance(action, ReleaseWorkload)
    assert await workloads.release(owner, action) is None
    released = now(kube, before)
    assert released["spec"] == before["spec"], "as if we had never been there"
    facts = await found(workloads, owner, before)
    assert not facts.owned.anything
    assert not [
        one for one in released["metadata"]["managedFields"] if one["manager"].startswith(names.MANAGER_PREFIX)
    ], "no entry of ours stays behind"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_version_is_one_write_and_changes_the_annotation_only(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube, kind: str
) -> None:
    owner = make()
    made = kube.create(document(kind, owner.key.namespace, owner.key.name))
    await injected(workloads, owner, made)
    before = now(kube, made)
    facts = await injected(workloads, owner, made, "v2")
    after = now(kube, made)
    name = names.version_annotation(owner.key.name)
    assert facts.template_annotations[name] == "v2"
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    pods_of(before)["metadata"]["annotations"][name] = "v2"
    assert pods_of(after) == pods_of(before)


async def test_two_resources_serve_one_workload_and_leave_singly(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    one, two = make("orders"), make("sessions", connection={"secretName": "sessions"})
    made = kube.create(document("Deployment", one.key.namespace, "orders", "sessions"))
    await injected(workloads, one, made)
    facts = await found(workloads, two, made)
    action = injection.inject(two, entry("Deployment", facts.name), facts, "sessions", "s1")
    assert isinstance(action, InjectWorkload)
    assert await workloads.inject(two, action) is None
    of_one, of_two = await found(workloads, one, made), await found(workloads, two, made)
    assert of_one.owned.mounts["main"] == {"/bindings/orders"}
    assert of_two.owned.mounts["main"] == {"/bindings/sessions"}
    release = injection.release(one, of_one)
    assert release is not None
    assert await workloads.release(one, release) is None
    of_two = await found(workloads, two, made)
    assert of_two.owned.mounts["main"] == {"/bindings/sessions"}
    assert names.version_annotation("sessions") in of_two.template_annotations
    rooted = [one.name for one in of_two.containers if names.SERVICE_BINDING_ROOT in {env.name for env in one.env}]
    assert rooted == ["main", "side"], "the other one still needs it"
    release = injection.release(two, of_two)
    assert release is not None
    assert await workloads.release(two, release) is None
    assert now(kube, made)["spec"] == made["spec"]


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        (
            {"containers": [{"name": "main", "image": "i", "env": [{"name": "REDIS_URI", "value": "mine"}]}]},
            {"env": [{"name": "REDIS_URI", "key": "uri"}]},
        ),
        (
            {
                "containers": [
                    {
                        "name": "main",
                        "image": "i",
                        "env": [
                            {"name": "REDIS_URI", "valueFrom": {"secretKeyRef": {"name": "of-the-user", "key": "k"}}}
                        ],
                    }
                ]
            },
            {"env": [{"name": "REDIS_URI", "key": "uri"}]},
        ),
        (
            {
                "containers": [
                    {"name": "main", "image": "i", "volumeMounts": [{"name": "scratch", "mountPath": "/keys"}]}
                ]
            },
            {"mountPath": "/keys"},
        ),
    ],
    ids=["env value", "env of another Secret", "mount path"],
)
async def test_a_foreign_field_is_a_conflict_and_stays(
    workloads: Workloads,
    make: Callable[..., SecureRedisCache],
    kube: Kube,
    changes: Document,
    form: Document,
) -> None:
    owner = make()
    made = kube.create(document("Deployment", owner.key.namespace, owner.key.name, **changes, initContainers=[]))
    facts = await found(workloads, owner, made)
    refused = injection.inject(owner, entry("Deployment", facts.name, **form), facts, "orders", "v1")
    assert not isinstance(refused, InjectWorkload)
    assert refused is not None
    assert refused.reason is Reason.TARGET_CONFLICT


async def act(
    workloads: Workloads, owner: SecureRedisCache, made: Document, version: str = "v1", **form: Any
) -> InjectWorkload:
    facts = await found(workloads, owner, made)
    action = injection.inject(owner, entry(made["kind"], facts.name, **form), facts, "orders", version)
    assert isinstance(action, InjectWorkload), action
    return action


async def test_an_env_entry_that_appeared_since_is_not_overwritten(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = kube.create(document("Deployment", owner.key.namespace, owner.key.name))
    action = await act(workloads, owner, made, **BOTH)
    env = [{"name": "REDIS_URI", "valueFrom": {"secretKeyRef": {"name": "of-the-user", "key": "k"}}}]
    body = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": env}]}}}}
    kube.patch(
        "Deployment",
        action.name,
        body,
        owner.key.namespace,
        "apps/v1",
        content_type="application/strategic-merge-patch+json",
    )
    before = now(kube, made)
    refused = await workloads.inject(owner, action)
    assert isinstance(refused, WriteFailure)
    assert (refused.reason, refused.retry_after) == (Reason.TARGET_REFUSED, 1.0)
    assert spec_of(now(kube, made)) == spec_of(before)


async def test_an_annotation_of_another_manager_is_not_forced_and_it_is_named(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = kube.create(document("Deployment", owner.key.namespace, owner.key.name))
    name = names.version_annotation(owner.key.name)
    kube.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": made["metadata"]["name"], "namespace": owner.key.namespace},
            "spec": {"template": {"metadata": {"annotations": {name: "theirs"}}}},
        },
        field_manager="gitops-of-somebody",
    )
    before = now(kube, made)
    refused = await workloads.inject(owner, await act(workloads, owner, made))
    assert isinstance(refused, WriteFailure)
    assert refused.reason is Reason.TARGET_CONFLICT
    assert "gitops-of-somebody" in refused.message
    assert spec_of(now(kube, made)) == spec_of(before), "not even a part of it was written"


async def test_a_recreated_workload_is_another_one(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    body = document("Deployment", owner.key.namespace, owner.key.name)
    made = kube.create(body)
    action = await act(workloads, owner, made)
    release = ReleaseWorkload(
        **{name: getattr(action, name) for name in ("kind", "name", "uid", "resource_version", "apply")},
        strategic={},
        rehearsal=action.rehearsal,
    )
    kube.delete("Deployment", action.name, owner.key.namespace, "apps/v1")
    gone = await workloads.inject(owner, action)
    assert isinstance(gone, WriteFailure)
    assert gone.reason is Reason.TARGET_NOT_FOUND
    assert kube.get("Deployment", action.name, owner.key.namespace, "apps/v1") is None, "never created"
    assert await workloads.release(owner, release) is None
    again = kube.create(body)
    for version in (action.resource_version, again["metadata"]["resourceVersion"]):
        refused = await workloads.inject(owner, replace(action, resource_version=version))
        assert isinstance(refused, WriteFailure)
        assert refused.reason in {Reason.TARGET_NOT_FOUND, Reason.TARGET_REFUSED}
    assert now(kube, again)["spec"] == again["spec"]


async def test_a_container_that_vanished_is_not_made_a_ghost(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = kube.create(document("Deployment", owner.key.namespace, owner.key.name))
    action = await act(workloads, owner, made, **BOTH)
    pods = template("Deployment")
    pods["spec"]["containers"][0]["name"] = "renamed"
    kube.patch("Deployment", action.name, {"spec": {"template": pods}}, owner.key.namespace, "apps/v1")
    before = now(kube, made)
    meta = before["metadata"]
    # The generation too: its controller may write the status meanwhile, which is no change.
    action = replace(action, resource_version=meta["resourceVersion"], generation=meta["generation"])
    refused = await workloads.inject(owner, action)
    assert isinstance(refused, WriteFailure)
    assert refused.reason is Reason.TARGET_REFUSED
    assert "image" in refused.message, "the rehearsal is refused in the server's words"
    assert spec_of(now(kube, made)) == spec_of(before)


async def test_a_refusal_by_policy_is_reported_before_anything_is_written(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = kube.create(document("Deployment", owner.key.namespace, owner.key.name))
    action = await act(workloads, owner, made)
    evil = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "evil.test/x"}]}}}}
    before = now(kube, made)
    for changed in (replace(action, rehearsal=evil), replace(action, apply={}, rehearsal={}, strategic=evil)):
        refused = await workloads.inject(owner, changed)
        assert isinstance(refused, WriteFailure)
        assert refused.reason is Reason.TARGET_REFUSED
        assert "must not change images" in refused.message
    assert spec_of(now(kube, made)) == spec_of(before)


async def test_selectors_find_only_what_consents(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    made = [kube.create(document(kind, namespace, owner.key.name)) for kind in KINDS]
    kube.create(document("Deployment", namespace))
    selector = {"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "team", "operator": "In", "values": ["shop", "x"]}]}  # fmt: skip  # noqa: E501
    entries = [entry(kind, selector=selector) for kind in KINDS]
    answer = await workloads.find(owner, entries)
    assert not isinstance(answer, Unknown), answer
    assert {(one.kind, one.name) for one in answer} == {(one["kind"], one["metadata"]["name"]) for one in made}
    for operator, values, hit in (("NotIn", ["shop"], False), ("Exists", [], True), ("DoesNotExist", [], False)):
        expression = {"key": "team", "operator": operator, **({"values": values} if values else {})}
        answer = await workloads.find(owner, [entry("Deployment", selector={"matchExpressions": [expression]})])
        assert not isinstance(answer, Unknown), answer
        assert bool(answer) is hit


async def test_an_injection_that_nothing_names_is_found_by_another_process(
    workloads: Workloads, client: KubeClient, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = kube.create(document("StatefulSet", owner.key.namespace, owner.key.name))
    kube.create(document("Deployment", owner.key.namespace, owner.key.name))
    facts = await injected(workloads, owner, made)
    unlabelled = {"metadata": {"labels": {names.INJECT: None}}}
    kube.patch(facts.kind, facts.name, unlabelled, owner.key.namespace, made["apiVersion"])
    assert await workloads.injected(owner) == {(facts.kind, facts.name)}, "what this process wrote is known to it"
    other = Workloads(client)
    found = await other.injected(owner)
    assert found == {(facts.kind, facts.name)}
    observed = await other.find(owner, (), found)
    assert not isinstance(observed, Unknown), observed
    assert [(one.name, one.owned) for one in observed] == [(facts.name, facts.owned)]
    kube.delete(facts.kind, facts.name, owner.key.namespace, made["apiVersion"])
    wait_for(
        lambda: kube.get(facts.kind, facts.name, owner.key.namespace, made["apiVersion"]) is None, PATIENCE, "its end"
    )
    assert await other.find(owner, (), found) == ()
    assert await other.injected(owner) == frozenset()


async def test_the_users_of_a_secret_are_found_whether_they_are_listed_or_not(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    reference = {"secretRef": {"name": "orders"}}
    made = []
    for kind in KINDS:
        plain = document(kind, namespace)
        template = plain["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else plain["spec"]
        template["template"]["spec"]["containers"][0]["envFrom"] = [reference]
        made.append(kube.create(plain))
    kube.create(document("Deployment", namespace, owner.key.name))
    container = {"name": "c", "image": "i", "envFrom": [reference]}
    bare = {"name": "bare", "namespace": namespace}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": bare, "spec": {"containers": [container]}})
    users = await workloads.secret_users(owner, frozenset({"orders"}))
    assert not isinstance(users, Unknown), users
    assert {(one.kind, one.name) for one in users if one.kind != "Pod"} == {
        (one["kind"], one["metadata"]["name"]) for one in made
    }
    assert ("Pod", "bare", None) in {(one.kind, one.name, one.workload) for one in users}
    assert await workloads.secret_users(owner, frozenset({"another"})) == ()


async def test_without_rights_it_states_the_remedy(
    client: KubeClient, make: Callable[..., SecureRedisCache], kube: Kube, new_namespace: Callable[..., str]
) -> None:
    unbound = new_namespace()
    owner = make(namespace=unbound)
    made = kube.create(document("Deployment", unbound, owner.key.name))
    refused = await Workloads(client).find(owner, (), [("Deployment", made["metadata"]["name"])])
    assert isinstance(refused, Unknown)
    assert refused.reason is Reason.NO_WORKLOAD_RIGHTS
    assert "workloads.enabled=true" in refused.message
    refused = await Workloads(client, enabled=False).find(owner, (), [])
    assert isinstance(refused, Unknown)
    assert refused.reason is Reason.NO_WORKLOAD_RIGHTS


def test_pods_are_identified_by_their_controller() -> None:
    def pod(kind: str, name: str, uid: str = "u", **labels: str) -> Document:
        reference = {"kind": kind, "name": name, "uid": uid, "controller": True}
        return {"metadata": {"name": "p", "labels": labels, "ownerReferences": [reference]}}

    deployment = WorkloadFacts("Deployment", "web", "d", "1")
    cron = WorkloadFacts("CronJob", "web", "c", "1")
    stateful = WorkloadFacts("StatefulSet", "web", "s", "1")
    assert workload_facts.is_pod_of(pod("ReplicaSet", "web-abc", **{"pod-template-hash": "abc"}), deployment)
    assert not workload_facts.is_pod_of(pod("ReplicaSet", "web-x-abc", **{"pod-template-hash": "abc"}), deployment)
    assert workload_facts.is_pod_of(pod("Job", "web-29000000"), cron)
    assert not workload_facts.is_pod_of(pod("Job", "web-nightly"), cron)
    assert workload_facts.is_pod_of(pod("StatefulSet", "web", "s"), stateful)
    assert not workload_facts.is_pod_of(pod("StatefulSet", "web", "other"), stateful)
