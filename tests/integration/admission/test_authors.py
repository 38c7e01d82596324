"""Writing a resource gives its author nothing more: the author must have permissions on what the spec names."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.api import Api, Document
from sandbox.chart.install import install
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.integration.admission.conftest import NAMESPACE, UNBOUND, VALUES

RESOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
)
KEY_VAULT = {"keyVault": {"uri": "https://shop.vault.azure.net", "secretName": "orders-redis-key"}}
CACHES = {
    "apiGroups": [names.GROUP],
    "resources": [names.PLURAL],
    "verbs": ["get", "create", "update", "patch", "delete"],
}
_numbers = itertools.count()


def tokens(*accounts: str) -> Document:
    return {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": list(accounts),
        "verbs": ["create"],
    }


def secrets(name: str, *verbs: str) -> Document:
    return {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": list(verbs)}


def give(admin: Api, user: str, space: str, *rules: Document) -> None:
    """Give a user permissions in a namespace, and wait until the API server, which watches roles, knows of them."""
    metadata = {"name": user, "namespace": space}
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    admin.apply(role).must()
    admin.apply(binding).must()
    resource, _, subresource = rules[0]["resources"][0].partition("/")
    attributes = {"namespace": space, "group": rules[0]["apiGroups"][0], "verb": rules[0]["verbs"][0]}
    attributes |= {"resource": resource, "subresource": subresource, "name": rules[0].get("resourceNames", [""])[0]}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    wait_for(lambda: admin.call("POST", path, review).must()["status"]["allowed"], PATIENCE, f"the rights of {user}")


def author(admin: Api, *rules: Document) -> Api:
    """A user who may write caches in the namespace, and what else `rules` allow."""
    user = f"author-{next(_numbers)}"
    give(admin, user, NAMESPACE, CACHES, *rules)
    return admin.named(user)


def cache(name: str = "orders", **spec: Any) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": metadata,
        "spec": {"resourceID": RESOURCE_ID, **spec},
    }


def uses(name: str) -> Document:
    return {"identity": {"serviceAccountName": name}}


def test_a_named_service_account_needs_the_right_to_its_tokens(admin: Api) -> None:
    user = author(admin, tokens("orders"))
    user.create(cache(**uses("orders")), dry_run=True).must()
    answer = user.create(cache(**uses("other")), dry_run=True)
    assert answer.status == 403
    assert (
        'to use the ServiceAccount "other", the author must hold create on its serviceaccounts/token' in answer.message
    )


@pytest.mark.parametrize("spec", [{}, {"identity": {}}], ids=["absent", "empty"])
def test_the_default_service_account_is_checked_too(admin: Api, spec: Document) -> None:
    author(admin, tokens("secure-redis")).create(cache(**spec), dry_run=True).must()
    answer = author(admin, tokens("orders")).create(cache(**spec), dry_run=True)
    assert answer.status == 403
    assert f'to use the ServiceAccount "{names.DEFAULT_SERVICE_ACCOUNT}"' in answer.message


def test_rights_in_another_namespace_do_not_count(admin: Api) -> None:
    user = f"author-{next(_numbers)}"
    give(admin, user, NAMESPACE, CACHES)
    give(admin, user, UNBOUND, tokens("orders"))
    answer = admin.named(user).create(cache(**uses("orders")), dry_run=True)
    assert answer.status == 403
    assert 'to use the ServiceAccount "orders"' in answer.message


def test_the_published_secret_needs_get_create_and_patch(admin: Api) -> None:
    user = author(admin, tokens("secure-redis"), secrets("orders", "get", "create", "patch"))
    user.create(cache(authentication=KEY_VAULT), dry_run=True).must()


@pytest.mark.parametrize("missing", ["get", "create", "patch"])
def test_each_of_the_three_is_needed(admin: Api, missing: str) -> None:
    held = {"get", "create", "patch", "update", "list", "watch"} - {missing}
    user = author(admin, tokens("secure-redis"), secrets("orders", *held))
    answer = user.create(cache(authentication=KEY_VAULT), dry_run=True)
    assert answer.status == 403
    assert 'to have the Secret "orders" published, the author must hold get, create and patch' in answer.message
    assert f"({missing} is missing)" in answer.message


def test_it_is_the_secret_that_connection_names(admin: Api) -> None:
    user = author(admin, tokens("secure-redis"), secrets("orders", "get", "create", "patch"))
    answer = user.create(cache(authentication=KEY_VAULT, connection={"secretName": "payments"}), dry_run=True)
    assert answer.status == 403
    assert 'the Secret "payments"' in answer.message
    user.create(cache("mine", authentication=KEY_VAULT, connection={"secretName": "orders"}), dry_run=True).must()


def test_a_generated_name_is_checked_as_generated(admin: Api) -> None:
    user = author(admin, tokens("secure-redis"), secrets("orders", "get", "create", "patch"))
    document = cache(authentication=KEY_VAULT)
    document["metadata"] = {"generateName": "orders-", "namespace": NAMESPACE}
    answer = user.create(document, dry_run=True)
    assert answer.status == 403
    assert 'the Secret "orders-' in answer.message


def test_assessing_needs_no_right_on_secrets(admin: Api) -> None:
    author(admin, tokens("secure-redis")).create(cache(), dry_run=True).must()


def persisting(secret: str) -> Document:
    account = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Storage"
    return {
        "type": "RDB",
        "storage": {
            "accountID": f"{account}/storageAccounts/shopdata",
            "authentication": "ConnectionString",
            "connectionStringSecretRef": {"name": secret},
        },
    }


def test_the_storage_connection_needs_get_on_its_secret(admin: Api) -> None:
    user = author(admin, tokens("secure-redis"), secrets("storage", "get"))
    user.create(cache(persistence=persisting("storage")), dry_run=True).must()
    answer = user.create(cache(persistence=persisting("others")), dry_run=True)
    assert answer.status == 403
    assert 'connection string in the Secret "others"' in answer.message


def test_the_right_to_change_that_secret_is_not_the_right_to_read_it(admin: Api) -> None:
    user = author(admin, tokens("secure-redis"), secrets("storage", "create", "patch", "list"))
    assert user.create(cache(persistence=persisting("storage")), dry_run=True).status == 403


def test_updates_are_checked_where_the_spec_changes(admin: Api) -> None:
    document = cache("updated", **uses("other"))
    admin.create(document).must()
    try:
        user = author(admin, tokens("orders"))
        user.merge(document, {"metadata": {"annotations": {names.REFRESH: "1"}, "labels": {"team": "shop"}}}).must()
        answer = user.merge(document, {"spec": {"drift": {"intervalSeconds": 60}}})
        assert answer.status == 403
        assert 'to use the ServiceAccount "other"' in answer.message
        user.merge(document, {"spec": uses("orders")}).must()
    finally:
        admin.delete(document)


def test_turning_on_publishing_is_checked(admin: Api) -> None:
    user = author(admin, tokens("secure-redis"))
    document = cache("publishing")
    user.create(document).must()
    try:
        assert 'the Secret "publishing"' in user.merge(document, {"spec": {"authentication": KEY_VAULT}}).message
    finally:
        admin.delete(document)


def test_the_operator_reports_and_sets_its_finalizer_but_leaves_the_spec(admin: Api, operator: Api) -> None:
    document = cache("reported")
    admin.create(document).must()
    try:
        operator.merge(document, {"metadata": {"finalizers": [names.FINALIZER]}}).must()
        operator.merge(document, {"status": {"observedGeneration": 1}}, "status").must()
        answer = operator.merge(document, {"spec": {"deletionPolicy": "Retain", "drift": {"intervalSeconds": 86400}}})
        assert answer.status == 403
        assert "the operator must not change the spec" in answer.message
        operator.merge(document, {"metadata": {"finalizers": None}}).must()
    finally:
        admin.merge(document, {"metadata": {"finalizers": None}})
        admin.delete(document)


def test_a_status_writer_restores_a_claim_and_a_status(admin: Api) -> None:
    """As a backup of another cluster has them. `admin` is one of policies.statusWriters here."""
    document = cache("restored")
    document["metadata"]["annotations"] = {names.OPERATOR: "elsewhere/secure-redis-operator"}
    admin.create(document).must()
    try:
        admin.merge(document, {"status": {"observedGeneration": 1}}, "status").must()
    finally:
        admin.delete(document)


def test_the_operator_creates_no_resources(operator: Api) -> None:
    assert operator.create(cache("invented"), dry_run=True).status == 403


WORKLOADS = {
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "DaemonSet": ("apps", "daemonsets"),
    "CronJob": ("batch", "cronjobs"),
}


@pytest.fixture(scope="module")
def with_workloads(admin: Api) -> Iterator[Api]:
    """The chart with the injection of workloads switched on; off again afterwards."""
    install(admin, {**VALUES, "workloads": {"enabled": True}})
    yield admin
    install(admin, VALUES)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_an_injected_workload_needs_patch_on_its_kind(with_workloads: Api, kind: str) -> None:
    group, plural = WORKLOADS[kind]
    document = cache(
        authentication=KEY_VAULT,
        workloads=[{"id": "one", "kind": kind, "name": "web", "env": [{"name": "A", "key": "uri"}]}],
    )
    held = (tokens("secure-redis"), secrets("orders", "get", "create", "patch"))
    without = author(with_workloads, *held)
    refusal = f"to have a {kind} injected, the author must hold patch on {plural}"
    # The policy is in force a moment after it was installed.
    wait_for(lambda: refusal in without.create(document, dry_run=True).message, PATIENCE, "the refusal")
    others = [name for name in WORKLOADS if name != kind]
    wrong = author(with_workloads, *held, *(patch(*WORKLOADS[name]) for name in others))
    assert refusal in wrong.create(document, dry_run=True).message
    right = author(with_workloads, *held, patch(group, plural))
    wait_for(lambda: right.create(document, dry_run=True).ok, PATIENCE, "the right to be known")


def patch(group: str, plural: str) -> Document:
    return {"apiGroups": [group], "resources": [plural], "verbs": ["patch"]}
