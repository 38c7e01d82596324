"""The CRD as a document: everything bounded and described, nothing that can express plaintext. Needs no API server."""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from secure_redis.api import names
from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import REFRESH_LIMIT
from secure_redis.api.spec.spec import (
    Access,
    DeletionPolicy,
    DriftClass,
    Format,
    Mode,
    OtherConsumers,
    Probe,
    Profile,
    Restart,
    Rotation,
    WorkloadKind,
)
from secure_redis.api.status import MESSAGE_LIMIT, RotationPhase, RotationStatus
from secure_redis.domain.assess.connection.forms import REPEATABLE, RESERVED
from secure_redis.domain.assess.drift import MOST_ENTRIES
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.assess.rules import MOST_NOTES, RULES
from secure_redis.domain.assess.rules.rule import Result, Severity
from secure_redis.domain.assess.services import COMPARED
from secure_redis.domain.observe.endpoint import AddressScope, PlaintextPort
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.plan.rollout.waves import MOST_STATUSES
from secure_redis.domain.plan.rollout.workload_state import LISTED_PODS, WORKLOAD_MESSAGE_LIMIT
from secure_redis.domain.report.endpoint_status import MOST_ADDRESSES

ROOT = Path(__file__).parents[3]
CORPUS = Path(__file__).parent
CRD: dict[str, Any] = yaml.safe_load((ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text())
VERSION: dict[str, Any] = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]
FROM_KUBERNETES = {"apiVersion", "kind", "metadata"}  # bounded and described by the API server itself


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of the schema but those that every object has, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        if path or name not in FROM_KUBERNETES:
            yield from walk(child, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


NODES = list(walk(SCHEMA))


def test_names_are_those_of_the_code() -> None:
    spec = CRD["spec"]
    assert (spec["group"], VERSION["name"]) == (names.GROUP, names.VERSION)
    assert (spec["names"]["kind"], spec["names"]["plural"], spec["scope"]) == (names.KIND, names.PLURAL, "Namespaced")
    assert spec["names"]["shortNames"] == ["srcache"]
    assert CRD["metadata"]["name"] == f"{names.PLURAL}.{names.GROUP}"
    assert CRD["metadata"]["labels"] == {"servicebinding.io/provisioned-service": "true"}


def node(path: str) -> dict[str, Any]:
    """The schema of one field, such as `.status.drift[].class`."""
    (found,) = [one for at, one in NODES if at == path]
    return found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".spec.mode", Mode),
        (".spec.profile", Profile),
        (".spec.deletionPolicy", DeletionPolicy),
        (".spec.transport.probe", Probe),
        (".status.endpoint.addresses[].scope", AddressScope),
        (".status.endpoint.nonTLSPort", PlaintextPort),
        (".spec.connection.deletionPolicy", DeletionPolicy),
        (".spec.authentication.keyVault.access", Access),
        (".spec.authentication.rotation.otherConsumers", OtherConsumers),
        (".spec.connection.formats[]", Format),
        (".spec.drift.correct[]", DriftClass),
        (".spec.workloads[].kind", WorkloadKind),
        (".spec.workloads[].restart", Restart),
        (".status.drift[].class", DriftClass),
        (".status.rotation.phase", RotationPhase),
        (".status.cache.ownership", Ownership),
    ],
)
def test_words_are_those_of_the_code(path: str, words: type[StrEnum]) -> None:
    assert set(node(path)["enum"]) == {str(word) for word in words}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".status.conditions[].type", ConditionType),
        (".status.conditions[].reason", Reason),
        (".status.workloads[].reason", Reason),
        (".status.rotation.reason", Reason),
        (".status.endpoint.unknown[].reason", Reason),
        (".status.rotation.target", Slot),
        (".status.rotation.slot", Slot),
        (".status.compliance.findings[].severity", Severity),
        (".status.cache.service", Service),
        (".status.credential.slot", Slot),
    ],
)
def test_the_reported_status_fits_the_schema(path: str, words: type[StrEnum]) -> None:
    schema = node(path)
    pattern = re.compile(schema.get("pattern", ".*"))
    assert [str(word) for word in words if not pattern.search(word) or len(word) > schema["maxLength"]] == []


def test_the_longest_the_code_reports_fits() -> None:
    assert node(".status.conditions[].message")["maxLength"] >= MESSAGE_LIMIT
    assert node(".status.conditions")["maxItems"] >= len(ConditionType)
    assert node(".status.endpoint.addresses")["maxItems"] >= MOST_ADDRESSES
    assert node(".status.drift")["maxItems"] >= MOST_ENTRIES
    assert node(".status.compliance.notes")["maxItems"] >= MOST_NOTES
    assert node(".status.compliance.findings")["maxItems"] >= len(RULES)
    assert node(".spec.waivers")["maxItems"] >= len(RULES)
    assert node(".status.rotation.message")["maxLength"] >= MESSAGE_LIMIT
    assert node(".status.workloads")["maxItems"] >= MOST_STATUSES
    assert node(".status.workloads[].message")["maxLength"] >= WORKLOAD_MESSAGE_LIMIT
    assert node(".status.workloads[].stalePods.names")["maxItems"] >= LISTED_PODS
    assert node(".status.rotation.holders.names")["maxItems"] >= LISTED_PODS
    assert node(".status.lastHandled.rotate")["maxLength"] >= REFRESH_LIMIT
    assert node(".status.rotation.request")["maxLength"] >= REFRESH_LIMIT


def test_every_rule_can_be_waived_and_every_open_result_shown() -> None:
    (valid,) = [one["rule"] for one in node(".spec.waivers[].rule")["x-kubernetes-validations"]]
    pattern = re.compile(valid.removeprefix("self.matches('").removesuffix("')"))
    assert [rule.id for rule in RULES if not pattern.search(rule.id)] == []
    shown = set(node(".status.compliance.findings[].result")["enum"])
    assert shown == {str(one) for one in Result} - {str(Result.PASS), str(Result.NOT_APPLICABLE)}


def test_paths_of_security_cannot_be_ignored_and_the_others_can() -> None:
    forbidden, form = [one["rule"] for one in node(".spec.drift.ignore[]")["x-kubernetes-validations"]]
    refused = [re.compile(one) for one in re.findall(r"matches\('(.*?)'\)", forbidden)]
    legal = re.compile(form.removeprefix("self.matches('").removesuffix("')").replace("[[]", r"\["))
    for path in COMPARED:
        named = f"{path}[a b]" if path in {"provision.tags", "network.firewallRules"} else path
        assert legal.search(named), path
        assert any(one.search(path) for one in refused) == (
            path.startswith(("transport.", "persistence.encryption.")) or path == "network.publicAccess"
        ), path


def test_env_takes_the_entries_that_the_secret_can_have() -> None:
    (rule,) = [one for one in node(".spec")["x-kubernetes-validations"] if "env takes" in one["message"]]
    for text in (rule["rule"], rule["messageExpression"]):
        assert all(f"'{entry}'" in text for entry in RESERVED)
        assert "connection.keys" in text
        assert "connection.template" in text


def test_further_entries_repeat_standard_ones_and_replace_none() -> None:
    assert set(node(".spec.connection.keys")["additionalProperties"]["enum"]) == set(REPEATABLE)
    for path in (".spec.connection.keys", ".spec.connection.template"):
        rules = node(path)["x-kubernetes-validations"]
        (rule,) = [one["rule"] for one in rules if "cannot be redefined" in one["message"]]
        assert all(f"'{entry}'" in rule for entry in RESERVED)


def test_every_string_is_bounded() -> None:
    loose = [
        path
        for path, node in NODES
        if node.get("type") == "string"
        and not ({"maxLength", "enum"} & node.keys() or node.get("format") == "date-time")
    ]
    assert loose == []


def test_every_list_is_bounded_and_typed() -> None:
    lists = [(path, node) for path, node in NODES if node.get("type") == "array"]
    assert lists
    assert [path for path, node in lists if "maxItems" not in node or "x-kubernetes-list-type" not in node] == []


def test_every_map_is_bounded() -> None:
    assert [path for path, node in NODES if "additionalProperties" in node and "maxProperties" not in node] == []


def test_every_number_is_bounded_below() -> None:
    assert [path for path, node in NODES if node.get("type") == "integer" and "minimum" not in node] == []


def test_nothing_unknown_is_kept() -> None:
    assert [path for path, node in NODES if "x-kubernetes-preserve-unknown-fields" in node] == []


def test_every_field_is_described() -> None:
    fields = [(path, node) for path, node in NODES if not path.endswith("{}")]
    scalars_in_lists = {path for path, node in fields if path.endswith("[]") and "properties" not in node}
    bare = [path for path, node in fields if path not in scalars_in_lists and len(node.get("description", "")) < 10]
    assert bare == []


def test_every_rule_has_a_message_and_a_reason() -> None:
    rules = [(path, rule) for path, node in NODES for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) > 30
    assert [path for path, rule in rules if not rule.get("message") or not rule.get("reason")] == []


def test_no_field_speaks_of_a_plaintext_port() -> None:
    assert [path for path, _ in NODES if "nonssl" in path.lower() or "plaintext" in path.lower()] == []


def test_no_field_names_a_namespace() -> None:
    assert [path for path, _ in NODES if "namespace" in path.lower()] == []


def test_status_waits_until_the_operator_has_looked() -> None:
    (condition,) = SCHEMA["properties"]["status"]["default"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Ready", "Unknown", "Pending")


def test_columns_answer_at_a_glance() -> None:
    columns = VERSION["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    assert narrow == ["Ready", "Reason", "Secure", "Drift", "Secret", "Age"]
    assert columns[-1]["name"] == "Age"
    assert len(columns) - len(narrow) <= 8
    assert [column["name"] for column in columns if "[*]" in column["jsonPath"]] == [], "a list shows its first match"
    assert [column["name"] for column in columns if not column.get("description")] == []


def test_it_fits_into_the_last_applied_annotation() -> None:
    """kubectl writes it there as JSON. The half leaves room for a second version beside the first."""
    assert len(json.dumps(CRD, separators=(",", ":"))) < 262_144 // 2


def test_every_rejected_object_states_what_is_expected() -> None:
    first_lines = {path.stem: path.read_text().splitlines()[0] for path in (CORPUS / "rejected").glob("*.yaml")}
    assert len(first_lines) > 100
    assert [name for name, line in first_lines.items() if not line.startswith("# expected: ")] == []


def test_every_message_is_reached_by_the_corpus() -> None:
    expected = [path.read_text().splitlines()[0] for path in (CORPUS / "rejected").glob("*.yaml")]
    rules = [rule for _, node in NODES for rule in node.get("x-kubernetes-validations", [])]
    messages = {rule.get("messageExpression", rule["message"]) for rule in rules}
    on_update = {message for message in messages if message.startswith("resourceID cannot be changed after")}
    assert len(on_update) == 1
    reached = {
        message for message in messages if any(line.removeprefix("# expected: ") in message for line in expected)
    }
    assert messages - reached == on_update


def test_every_zone_and_every_field_of_the_code_can_be_written() -> None:
    (rule,) = node(".spec.authentication.rotation.windows[].timeZone")["x-kubernetes-validations"]
    pattern = re.compile(rule["rule"].removeprefix("self.matches('").removesuffix("')"))
    zones = (resources.files("tzdata") / "zones").read_text(encoding="ascii").split()
    assert [zone for zone in zones if not pattern.search(zone) or len(zone) > 64] == []
    assert set(node(".status.rotation")["properties"]) == {
        field.alias for field in RotationStatus.model_fields.values()
    }
    assert set(node(".spec.authentication.rotation")["properties"]) == {
        field.alias for field in Rotation.model_fields.values()
    }
