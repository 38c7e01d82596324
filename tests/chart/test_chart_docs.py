"""What is generated from the chart's sources is current, and the sources say something about every value."""

import json
from typing import Any

import pytest
import yaml

from sandbox.chart.render import CHART, ROOT
from scripts import chart_docs

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")
# Said by their very names.
PLAIN = ("nodeSelector", "tolerations", "affinity", "dnsConfig", "podAnnotations", "metrics.")


def test_nothing_generated_is_stale() -> None:
    assert [str(path.relative_to(ROOT)) for path in chart_docs.stale()] == [], "run `make chart-docs`"


@pytest.mark.parametrize("value", list(chart_docs.documented(VALUES)), ids=lambda value: value.path)
def test_every_value_has_its_words(value: chart_docs.Value) -> None:
    assert value.text or value.path.startswith(PLAIN)
    assert value.section != "Values"


def leaves(schema: dict[str, Any], above: str = "") -> set[str]:
    """The paths of the schema's own properties, down to what it leaves to a definition."""
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= leaves(part, f"{above}{name}.") if "properties" in part else {f"{above}{name}"}
    return found


def test_schema_and_values_know_the_same_values() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = leaves(schema) - {"global"}
    values = yaml.safe_load(VALUES)

    def there(path: str) -> bool:
        at: Any = values
        for part in path.split("."):
            if not isinstance(at, dict) or part not in at:
                return False
            at = at[part]
        return True

    optional = {"resources.claims"}  # rarely used; resources is passed through
    assert {path for path in known if not there(path)} - optional - {
        path for path in known if path.startswith(("updateStrategy.", "dnsConfig."))
    } == set()
    documented = {value.path for value in chart_docs.documented(VALUES)}
    roots = {path.split(".")[0] for path in known}
    assert {path.split(".")[0] for path in documented} == roots


def test_the_crd_of_the_chart_is_the_one_in_crds() -> None:
    name = "secureredis.io_securerediscaches.yaml"
    assert (CHART / "files" / name).read_text() == (ROOT / "crds" / name).read_text()


def test_the_manifest_for_kubectl_is_whole_and_knows_no_helm() -> None:
    text = chart_docs.INSTALL.read_text()
    documents = list(yaml.safe_load_all(text))
    kinds = [one["kind"] for one in documents]
    assert kinds[0] == "Namespace"
    assert {"CustomResourceDefinition", "Deployment", "ClusterRole", "ValidatingAdmissionPolicy"} <= set(kinds)
    assert "Pod" not in kinds
    body = text.split("---", 1)[1]
    assert "helm.sh/" not in body
    assert "Helm" not in body
    labels = documents[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
