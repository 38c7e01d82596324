"""The pages of docs/reference: what their parts state, and that none can be left out."""

import json
from typing import Any

import pytest

from scripts.chart_docs import SCHEMA, documented
from scripts.reference import annotations, cli, entries, metrics, values
from secure_redis.api import names

VALUES = list(documented(values.VALUES.read_text(encoding="utf-8")))
DEFINITIONS = {"text": {"type": "string"}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "boolean"}, "boolean"),
        ({"type": "integer", "minimum": 0, "maximum": 65535}, "integer, 0 to 65535"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 86400}, "number, above 0, at most 86400"),
        ({"type": ["object", "null"]}, "mapping"),
        ({"type": ["integer", "string"]}, "integer or string"),
        ({"type": "array", "items": {"$ref": "#/definitions/text"}}, "list of strings"),
        ({"type": "array", "items": {"enum": ["A", "B", "C"]}}, "list of `A`, `B` or `C`"),
        ({"anyOf": [{"$ref": "#/$defs/text"}, {"type": "null"}]}, "string"),
        ({"const": "x"}, "`x`"),
        ({}, ""),
    ],
)
def test_a_type_in_words(schema: dict[str, Any], words: str) -> None:
    assert entries.kind(schema, DEFINITIONS) == words


def test_a_long_default_is_a_block() -> None:
    assert entries.default(["a"]) == ('`["a"]`', "")
    shown, block = entries.default({"requests": {"cpu": "50m", "memory": "192Mi"}})
    assert shown == "the YAML below"
    assert block == "requests:\n  cpu: 50m\n  memory: 192Mi\n"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.path)
def test_every_value_of_the_chart_has_an_entry(value: Any) -> None:
    assert f"\n### `{value.path}`\n" in values.page([])


def test_a_value_that_the_schema_does_not_know_is_refused() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert values.type_of(schema, "image.tag") == "string"
    assert values.type_of(schema, "replicaCount") == "integer, 0 to 10"
    with pytest.raises(LookupError, match=r"image\.tags"):
        values.type_of(schema, "image.tags")


def test_a_metric_names_its_unit_and_its_users() -> None:
    found = {one.name: one for one in metrics.described()}
    assert found["secureredis_certificate_not_after_timestamp_seconds"].unit == "seconds since 1970"
    assert found["process_cpu_seconds_total"].unit == "seconds"
    assert found["process_resident_memory_bytes"].unit == "bytes"
    assert found["secureredis_findings"].labels == ("namespace", "name", "result", "severity")
    entry = metrics.page([]).split("### `secureredis_event_loop_lag_seconds`")[1].split("###")[0]
    assert "- Type: histogram" in entry
    assert "- Alerts: [SecureRedisEventLoopBlocked](../runbooks.md#securerediseventloopblocked)" in entry


def test_the_example_of_the_metrics_is_what_the_operator_renders() -> None:
    assert '{name="orders",namespace="shop",status="True",type="Ready"} 1.0' in metrics.page([])


def test_every_command_has_its_help() -> None:
    page = cli.page([])
    for command in ("run", "verify", "version"):
        assert f"$ secure-redis {command} --help\nUsage: secure-redis {command} [OPTIONS]\n" in page
    assert "`--kubeconfig`, the environment variable `KUBECONFIG`" in page


def test_every_name_has_words() -> None:
    written = [*annotations.constants().values(), "RESOURCE.secureredis.io/version"]
    annotations.must_fit(written)
    for wrong in (
        [one for one in written if one != names.ROTATE],
        [*written, "secureredis.io/rotat"],
        [*written, names.ROTATE],
    ):
        with pytest.raises(LookupError, match=r"annotations\.yaml and names\.py differ"):
            annotations.must_fit(wrong)
