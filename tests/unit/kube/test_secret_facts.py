"""A Secret of any content becomes facts of bounded size, and what was cut off never counts as published."""

import base64
from typing import Any

from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.domain.assess.connection_secret import ConnectionData, differs
from secure_redis.kube import secret_facts
from secure_redis.kube.secret_facts import MOST_BYTES, MOST_ENTRIES, MOST_METADATA, facts, size

MIB = 1024 * 1024
OWN = {names.SECRET_UID: "uid", names.SECRET_RESOURCE: "orders"}
DECLARED = ConnectionData(
    {"password": SecretBytes(b"key"), "uri": SecretBytes(b"rediss://x")},
    {names.MANAGED_BY: names.MANAGER, "team": "shop"},
    OWN,
)


def secret(data: dict[str, bytes] | None = None, **metadata: Any) -> dict[str, Any]:
    values = {"password": b"key", "uri": b"rediss://x"} if data is None else data
    given = {
        "labels": {**DECLARED.labels},
        "annotations": {**OWN},
        "managedFields": [managed({"f:labels": {"f:team": {}}})],
        **metadata,
    }
    return {
        "metadata": {"name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "1", **given},
        "type": names.SECRET_TYPE,
        "data": {name: base64.b64encode(value).decode() for name, value in values.items()},
    }


def managed(metadata: dict[str, Any], manager: str = names.FIELD_MANAGER) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": {"f:metadata": metadata}}


def test_what_the_operator_published_is_kept_whole() -> None:
    found = facts(secret())
    assert differs(found, DECLARED) == ()
    assert found.labels == DECLARED.labels


def test_a_value_that_is_too_large_differs_and_is_not_kept() -> None:
    found = facts(secret({"password": b"key" + b"\0" * MIB, "uri": b"rediss://x"}))
    assert differs(found, DECLARED) == ("data.password",)
    assert size(found) < 1024


def test_values_are_bounded_together() -> None:
    found = facts(secret({f"k{number:02}": b"v" * (MOST_BYTES // 4) for number in range(50)}))
    assert size(found) < MOST_BYTES * 1.1
    assert len(differs(found, DECLARED)) == 52


def test_of_many_entries_one_that_is_not_declared_is_kept() -> None:
    many = {f"a{number:05}": b"" for number in range(50_000)}
    found = facts(secret({**many, "password": b"key", "uri": b"rediss://x"}))
    assert len(found.data) == MOST_ENTRIES
    assert "data.a00000" in differs(found, DECLARED)


def test_labels_and_annotations_of_others_are_not_kept() -> None:
    others = {f"example.com/{number:05}": "x" * 60 for number in range(4000)}
    found = facts(secret(labels={**others, **DECLARED.labels}, annotations={**others, **OWN}))
    assert differs(found, DECLARED) == ()
    assert size(found) < 1024


def test_the_operators_own_names_are_bounded_too() -> None:
    forged = {f"{names.GROUP}/a{number:05}": "x" * 60 for number in range(4000)}
    own: dict[str, Any] = {f"f:own-{number:05}": {} for number in range(4000)}
    references = [{"kind": names.KIND, "apiVersion": names.API_VERSION, "uid": f"u{number}"} for number in range(4000)]
    found = facts(
        secret(
            labels={**forged, **DECLARED.labels},
            annotations={**forged, names.SECRET_ENTRIES: "x" * MIB},
            managedFields=[managed({"f:labels": own, "f:annotations": own}), managed({"f:labels": own}, "mallory")],
            ownerReferences=references,
        )
    )
    assert "labels[secureredis.io/a00000]" in differs(found, DECLARED)
    assert max(len(found.own_labels), len(found.own_annotations), len(found.referenced_by)) <= MOST_METADATA
    assert len(found.written_by) <= MOST_ENTRIES
    assert size(found) < 64 * 1024


def test_a_large_annotation_of_ours_is_not_kept() -> None:
    kept = names.SECRET_ENTRIES
    found = facts(secret(annotations={kept: "x" * MIB, names.SECRET_UID: "u" * MIB, names.SECRET_RESOURCE: "r" * MIB}))
    assert found.annotations[kept] == "\0", "it differs from whatever is declared"
    assert len(found.owner_uid or "") + len(found.owner_name or "") < 1024
    assert size(found) < 1024
    assert facts(secret(annotations={kept: "x" * 48 * 1024})).annotations[kept] == "x" * 48 * 1024


def test_many_managers_are_bounded_together() -> None:
    def fields(manager: str) -> dict[str, Any]:
        return {"f:labels": {f"f:{manager}-{number}": {} for number in range(100)}}

    found = facts(secret(managedFields=[managed(fields(f"m{number}"), f"m{number}") for number in range(50)]))
    assert len(found.written_by) == MOST_ENTRIES


def test_sets_of_names_that_are_kept_once_are_bounded() -> None:
    for number in range(200):
        facts(secret(managedFields=[managed({"f:labels": {f"f:l{number}": {}}})]))
    assert secret_facts._same.cache_info().currsize <= 64


def test_who_wrote_a_label_of_ours_is_known_without_its_value() -> None:
    body = secret(
        labels={**DECLARED.labels, "team": "evil"}, managedFields=[managed({"f:labels": {"f:team": {}}}, "m")]
    )
    found = facts(body)
    assert "labels[team]" in differs(found, DECLARED)
    assert found.written_by == {"labels[team]": "m"}
    assert "team" not in found.labels
