"""A second release in another namespace collides with the first one, so Helm refuses it: one install per cluster."""

from sandbox.chart.render import Document, render

CLUSTER_WIDE = {
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def names(documents: list[Document]) -> set[tuple[str, str]]:
    return {(one["kind"], one["metadata"]["name"]) for one in documents if one["kind"] in CLUSTER_WIDE}


def test_cluster_wide_objects_have_the_same_name_in_every_namespace() -> None:
    first, second = names(render()), names(render(namespace="elsewhere"))
    assert first == second
    assert {kind for kind, _ in first} == CLUSTER_WIDE


def test_objects_that_no_value_renames_collide_under_any_release_name() -> None:
    first = names(render({"crds": {"enabled": False}}))
    second = names(render({"crds": {"enabled": False}, "fullnameOverride": "other"}, namespace="elsewhere"))
    assert ("ClusterRole", "secure-redis-namespace") in first & second
