"""The operator's identity may change only the injection in workloads, whatever its roles allow."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import APPLY, Answer, Api, Document, path_of
from sandbox.chart.install import OPERATOR, install
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.integration.admission.conftest import NAMESPACE, UNBOUND, VALUES
from tests.integration.admission.test_authors import KEY_VAULT, cache

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
STRATEGIC = "application/strategic-merge-patch+json"
MANAGER = "secureredis.io/orders"
OURS = {"name": "secureredis-orders", "secret": {"secretName": "orders"}}
ENV = {"name": "REDIS_URI", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}}}
MOUNT = {"name": "secureredis-orders", "mountPath": "/bindings/orders", "readOnly": True}
_numbers = itertools.count()


def template() -> Document:
    main: Document = {
        "name": "main",
        "image": "shop.test/app:1",
        "command": ["serve"],
        "args": ["--fast"],
        "env": [{"name": "MODE", "value": "calm"}, {"name": "COLOUR", "value": "blue"}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    first = {"name": "first", "image": "shop.test/first:1", "command": ["prepare"]}
    spec: Document = {
        "serviceAccountName": "other",
        "containers": [main, {"name": "side", "image": "shop.test/side:1"}],
        "initContainers": [first],
        "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "secureredis-of-the-user", "emptyDir": {}}],
    }
    return {"metadata": {"labels": {"app": "x"}, "annotations": {"shop.test/note": "n"}}, "spec": spec}


def resource() -> Document:
    """Return the resource `orders`, which lists every workload of the namespace: by env and in the binding form."""
    entries: list[Document] = []
    for kind in KINDS:
        entries.append(
            {"id": f"{kind.lower()}-env", "kind": kind, "selector": {}, "env": [{"name": "REDIS_URI", "key": "uri"}]}
        )
        entries.append({"id": f"{kind.lower()}-files", "kind": kind, "selector": {}})
    return cache("orders", authentication=KEY_VAULT, workloads=entries)


def workload(kind: str, space: str = NAMESPACE, *, consents: bool = True) -> Document:
    name = f"w-{next(_numbers)}"
    metadata: Document = {
        "name": name,
        "namespace": space,
        "labels": {"team": "shop"},
        "annotations": {"shop.test/a": "b"},
    }
    if consents:
        metadata["labels"][names.INJECT] = "true"
        metadata["annotations"][names.RESOURCES] = "other, orders"
    pods: Document = {"selector": {"matchLabels": {"app": "x"}}, "template": template()}
    if kind == "CronJob":
        inner = template()
        inner["spec"]["restartPolicy"] = "Never"
        jobs: Document = {"metadata": {"labels": {"job": "j"}}, "spec": {"template": inner}}
        return {
            "apiVersion": "batch/v1",
            "kind": kind,
            "metadata": metadata,
            "spec": {"schedule": "0 3 1 1 *", "jobTemplate": jobs},
        }
    more: Document = {} if kind == "DaemonSet" else {"replicas": 0}
    if kind == "StatefulSet":
        more["serviceName"] = "x"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {**pods, **more}}


def within(document: Document, pod_template: Document) -> Document:
    """A patch of the pod template, at its place in this kind."""
    if document["kind"] == "CronJob":
        return {"spec": {"jobTemplate": {"spec": {"template": pod_template}}}}
    return {"spec": {"template": pod_template}}


def patch(api: Api, document: Document, body: Document, kind: str = STRATEGIC) -> Answer:
    return api.call("PATCH", path_of(document), body, kind=kind, query={"fieldManager": MANAGER})


def allowed(operator: Api, document: Document) -> bool:
    """Whether the operator may inject the resource's variable into the first container. Nothing is written."""
    body = within(document, {"spec": {"containers": [{"name": "main", "env": [ENV]}]}})
    query = {"fieldManager": MANAGER, "dryRun": "All"}
    return operator.call("PATCH", path_of(document), body, kind=STRATEGIC, query=query).ok


@pytest.fixture(scope="module", autouse=True)
def policy(admin: Api, operator: Api) -> Iterator[None]:
    """The chart with workloads on, and its policy in force; afterwards as it was for other modules."""
    install(admin, {**VALUES, "workloads": {"enabled": True}})
    admin.apply(resource()).must()
    probe = workload("CronJob")  # no controller starts anything
    admin.create(probe).must()

    def refused() -> bool:
        body = {"metadata": {"labels": {"probe": str(next(_numbers))}}}  # what changes nothing is not refused
        return "ValidatingAdmissionPolicy" in patch(operator, probe, body).message

    wait_for(refused, PATIENCE, "the policy on workload changes to be in force")
    wait_for(lambda: allowed(operator, probe), PATIENCE, "the policies to know the resource")
    yield
    install(admin, VALUES)
    wait_for(lambda: operator.get(path_of(probe)).status == 403, PATIENCE, "the rights on workloads to be gone")
    admin.delete(probe).must()
    admin.delete(resource()).must()


@pytest.fixture
def make(admin: Api) -> Callable[..., Document]:
    def create(kind: str, space: str = NAMESPACE) -> Document:
        return admin.create(workload(kind, space)).must()

    return create


@pytest.mark.parametrize("kind", KINDS)
def test_an_injection_and_its_release_pass(operator: Api, make: Callable[..., Document], kind: str) -> None:
    document = make(kind)
    head = {"apiVersion": document["apiVersion"], "kind": kind, "metadata": {"uid": document["metadata"]["uid"]}}
    annotated = {"metadata": {"annotations": {"orders.secureredis.io/version": "v1"}}, "spec": {"volumes": [OURS]}}
    patch(operator, document, {**head, **within(document, annotated)}, APPLY).must()
    root = {"name": "SERVICE_BINDING_ROOT", "value": "/bindings"}
    containers = [{"name": "main", "env": [ENV, root], "volumeMounts": [MOUNT]}, {"name": "side", "env": [ENV]}]
    first = [{"name": "first", "env": [ENV], "volumeMounts": [MOUNT]}]
    injected = {"spec": {"containers": containers, "initContainers": first}}
    patch(operator, document, within(document, injected)).must()
    gone_env = [{"name": "REDIS_URI", "$patch": "delete"}, {"name": "SERVICE_BINDING_ROOT", "$patch": "delete"}]
    gone_mount = [{"mountPath": "/bindings/orders", "$patch": "delete"}]
    containers = [
        {"name": "main", "env": gone_env, "volumeMounts": gone_mount},
        {"name": "side", "env": gone_env[:1]},
    ]
    first = [{"name": "first", "env": gone_env[:1], "volumeMounts": gone_mount}]
    released = {"spec": {"containers": containers, "initContainers": first}}
    patch(operator, document, within(document, released)).must()
    now = patch(operator, document, head, APPLY).must()
    assert now["spec"] == document["spec"], "everything is as it was"


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_policies_can_afford_a_large_workload(admin: Api, operator: Api, kind: str) -> None:
    """10 containers with 150 variables and 40 mounts each, and a resource with 50 entries of 20 variables."""
    entries = [
        {
            "id": f"e-{number}",
            "kind": kind,
            "selector": {},
            "env": [{"name": f"URL_{number}_{one}", "key": "uri"} for one in range(20)],
        }
        for number in range(49)
    ]
    large = cache(
        "large", authentication=KEY_VAULT, workloads=[*entries, {"id": "files", "kind": kind, "selector": {}}]
    )
    admin.apply(large).must()
    document = workload(kind)
    document["metadata"]["annotations"][names.RESOURCES] = "large"
    pods = document["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else document["spec"]
    secret = {"secretKeyRef": {"name": "of-the-user", "key": "k"}}
    pods["template"]["spec"]["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    pods["template"]["spec"]["containers"] = [
        {
            "name": f"container-{number}",
            "image": "shop.test/app:1",
            "env": [
                {"name": f"V{one}", "value": "x"} if one % 2 else {"name": f"V{one}", "valueFrom": secret}
                for one in range(150)
            ],
            "volumeMounts": [{"name": "scratch", "mountPath": f"/scratch/{one}"} for one in range(40)],
        }
        for number in range(10)
    ]
    admin.create(document).must()
    reference = {"secretKeyRef": {"name": "large", "key": "uri"}}
    containers = [
        {
            "name": f"container-{number}",
            "env": [{"name": f"URL_48_{one}", "valueFrom": reference} for one in range(20)],
            "volumeMounts": [{"name": "secureredis-large", "mountPath": "/bindings/large", "readOnly": True}],
        }
        for number in range(10)
    ]
    pod = {"containers": containers, "volumes": [{"name": "secureredis-large", "secret": {"secretName": "large"}}]}
    body = within(document, {"spec": pod})
    query = {"fieldManager": "secureredis.io/large"}
    wait_for(
        lambda: operator.call("PATCH", path_of(document), body, kind=STRATEGIC, query={**query, "dryRun": "All"}).ok,
        PATIENCE,
        "the policies to know the resource and to afford the change",
    )
    operator.call("PATCH", path_of(document), body, kind=STRATEGIC, query=query).must()
    admin.delete(document).must()
    admin.delete(large).must()


# One change a line, however long: a table.
# ruff: noqa: E501
CHANGES: list[tuple[str, Document, str]] = [
    ("image", {"spec": {"containers": [{"name": "main", "image": "evil.test/x"}]}}, "images, commands"),
    ("command", {"spec": {"containers": [{"name": "main", "command": ["sh"]}]}}, "images, commands"),
    ("args", {"spec": {"containers": [{"name": "main", "args": ["--evil"]}]}}, "images, commands"),
    ("add args", {"spec": {"containers": [{"name": "side", "args": ["--evil"]}]}}, "images, commands"),
    ("drop args", {"spec": {"containers": [{"name": "main", "args": None}]}}, "images, commands"),
    ("init image", {"spec": {"initContainers": [{"name": "first", "image": "evil.test/x"}]}}, "of init containers"),
    ("lifecycle", {"spec": {"containers": [{"name": "main", "lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}]}},
     "images, commands"),
    ("privileged", {"spec": {"containers": [{"name": "main", "securityContext": {"privileged": True}}]}}, "images, com"),
    ("envFrom", {"spec": {"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "s"}}]}]}}, "images, com"),
    ("one more container", {"spec": {"containers": [{"name": "evil", "image": "evil.test/x"}]}}, "images, commands"),
    ("one more init container", {"spec": {"initContainers": [{"name": "evil", "image": "e.test/x"}]}}, "init containers"),
    ("one container less", {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}, "images, commands"),
    ("ServiceAccount", {"spec": {"serviceAccountName": "default"}}, "ServiceAccount, security context"),
    ("host network", {"spec": {"hostNetwork": True}}, "ServiceAccount, security context"),
    ("pod security context", {"spec": {"securityContext": {"runAsUser": 0}}}, "ServiceAccount, security context"),
    ("node", {"spec": {"nodeSelector": {"a": "b"}}}, "ServiceAccount, security context"),
    ("env value", {"spec": {"containers": [{"name": "main", "env": [{"name": "LD_PRELOAD", "value": "/e.so"}]}]}},
     "only env entries"),
    ("env of the user", {"spec": {"containers": [{"name": "main", "env": [{"name": "MODE", "value": "wild"}]}]}},
     "only env entries"),
    ("env of the user gone", {"spec": {"containers": [{"name": "main", "env": [{"name": "MODE", "$patch": "delete"}]}]}},
     "only env entries"),
    ("env order", {"spec": {"containers": [{"name": "main", "$setElementOrder/env": [{"name": "COLOUR"}, {"name": "MODE"}],
                                            "env": [{"name": "COLOUR", "value": "blue"}]}]}}, "only env entries"),
    ("env from a field", {"spec": {"containers": [{"name": "main", "env": [
        {"name": "N", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}]}}, "only env entries"),
    ("init env", {"spec": {"initContainers": [{"name": "first", "env": [{"name": "A", "value": "b"}]}]}}, "only env"),
    ("host path", {"spec": {"volumes": [{"name": "secureredis-x", "hostPath": {"path": "/"}}]}}, "only volumes"),
    ("volume of another name", {"spec": {"volumes": [{"name": "x", "secret": {"secretName": "orders"}}]}}, "only volumes"),
    ("volume of the user", {"spec": {"volumes": [{"name": "scratch", "$patch": "delete"}],
                                     "containers": [{"name": "main", "volumeMounts": [
                                         {"mountPath": "/scratch", "$patch": "delete"}]}]}}, "only volumes"),
    ("volume of the user with our prefix", {"spec": {"volumes": [{"name": "secureredis-of-the-user", "$patch": "delete"}]}},
     "only volumes"),
    ("mount of the user's volume", {"spec": {"containers": [{"name": "side", "volumeMounts": [
        {"name": "scratch", "mountPath": "/etc"}]}]}}, "only mounts"),
    ("mount of the user gone", {"spec": {"containers": [{"name": "main", "volumeMounts": [
        {"mountPath": "/scratch", "$patch": "delete"}]}]}}, "only mounts"),
    ("annotation", {"metadata": {"annotations": {"shop.test/note": "other"}}}, "only the annotation"),
    ("annotation gone", {"metadata": {"annotations": {"shop.test/note": None}}}, "only the annotation"),
    ("new annotation", {"metadata": {"annotations": {"secureredis.io.evil.test/x": "y"}}}, "only the annotation"),
    ("template label", {"metadata": {"labels": {"b": "c"}}}, "metadata, the operator may change only its annotation"),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("change", "words"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_any_other_change_of_the_pods_is_refused(
    admin: Api, operator: Api, make: Callable[..., Document], kind: str, change: Document, words: str
) -> None:
    document = make(kind)
    answer = patch(operator, document, within(document, change))
    assert answer.status == 403, answer.body
    assert "workload-changes" in answer.message
    assert words in answer.message
    assert admin.get(path_of(document)).must()["metadata"]["generation"] == 1
    if "$setElementOrder/env" not in str(change):
        patch(admin, document, within(document, change)).must()  # the change itself is legal: others may


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("Deployment", {"spec": {"replicas": 5}}, "spec, the operator may change only its pod template"),
        ("Deployment", {"spec": {"paused": True}}, "spec, the operator may change only its pod template"),
        ("Deployment", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}, "spec, the operator may change only its pod template"),
        ("StatefulSet", {"spec": {"replicas": 5}}, "spec, the operator may change only its pod template"),
        ("DaemonSet", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}, "spec, the operator may change only its pod"),
        ("CronJob", {"spec": {"schedule": "* * * * *"}}, "spec, the operator may change only its pod template"),
        ("CronJob", {"spec": {"suspend": True}}, "spec, the operator may change only its pod template"),
        ("CronJob", {"spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}}}}}, "CronJob's job template"),
        ("CronJob", {"spec": {"jobTemplate": {"spec": {"parallelism": 9}}}}, "CronJob's job template"),
        ("Deployment", {"metadata": {"labels": {"secureredis.io/inject": "maybe"}}}, "a workload's metadata"),
        ("Deployment", {"metadata": {"annotations": {"secureredis.io/resources": "orders"}}}, "a workload's metadata"),
        ("Deployment", {"metadata": {"annotations": {"shop.test/a": None}}}, "a workload's metadata"),
        ("Deployment", {"metadata": {"finalizers": ["shop.test/f"]}}, "a workload's metadata"),
        ("StatefulSet", {"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"}]}}, "a workload's metadata"),
    ],
)  # fmt: skip
def test_any_change_around_the_pods_is_refused(
    operator: Api, make: Callable[..., Document], kind: str, change: Document, words: str
) -> None:
    answer = patch(operator, make(kind), change)
    assert answer.status == 403, answer.body
    assert words in answer.message


def test_even_with_more_rights_it_neither_creates_deletes_nor_scales(
    admin: Api, operator: Api, make: Callable[..., Document]
) -> None:
    role: Document = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "generous"},
        "rules": [{"apiGroups": ["apps", "batch"], "resources": ["*"], "verbs": ["*"]}],
    }
    binding: dict[str, Any] = {
        "apiVersion": role["apiVersion"],
        "kind": "RoleBinding",
        "metadata": {"name": "generous", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "generous"},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": RELEASE_NAMESPACE}],
    }
    document = make("Deployment")
    admin.apply(role).must()
    admin.apply(binding).must()
    try:
        wait_for(lambda: "cannot delete" not in operator.delete(document).message, PATIENCE, "the rights")
        answers = [
            operator.create(workload("Deployment")),
            operator.create(workload("CronJob")),
            operator.delete(document),
            operator.merge(document, {"spec": {"replicas": 3}}, "scale"),
        ]
    finally:
        admin.delete(binding).must()
        admin.delete(role).must()
    for answer in answers:
        assert answer.status == 403, answer.body
        assert "may neither create, delete nor scale workloads" in answer.message


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_not_concerned(admin: Api, make: Callable[..., Document], kind: str) -> None:
    """Not even with the operator's field manager, and with what the resource does not list."""
    entry = {"name": "PATH", "valueFrom": {"secretKeyRef": {"name": "of-the-user", "key": "k"}}}
    document = make(kind)
    patch(admin, document, within(document, {"spec": {"containers": [{"name": "main", "env": [entry]}]}})).must()


@pytest.mark.parametrize("consents", [True, False])
def test_users_without_a_resource_change_their_workloads(admin: Api, consents: bool) -> None:
    """Without a resource there is no parameter, and a policy without a parameter must refuse no user's change."""
    space = f"admission-none-{str(consents).lower()}"
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}).must()
    made = admin.create(workload("Deployment", space, consents=consents)).must()
    admin.merge(made, {"metadata": {"annotations": {"shop.test/a": "c"}}}).must()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_binding_no_workload_is_touched(operator: Api, make: Callable[..., Document], kind: str) -> None:
    document = make(kind, UNBOUND)
    for answer in (operator.get(path_of(document)), patch(operator, document, {"metadata": {"labels": {"a": "b"}}})):
        assert answer.status == 403
        assert "cannot" in answer.message
