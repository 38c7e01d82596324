"""The files that are generated from the chart's sources are current, and the sources describe every value."""

import base64
import json
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from sandbox.chart.render import CHART, ROOT
from scripts import chart_docs

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")
# Said by their very names.
PLAIN = ("nodeSelector", "tolerations", "affinity", "dnsConfig", "podAnnotations")
PLAIN_PARTS = (".annotations", ".interval", ".scrapeTimeout", ".relabelings", ".metricRelabelings")


def test_nothing_generated_is_stale() -> None:
    assert [str(path.relative_to(ROOT)) for path in chart_docs.stale()] == [], "run `make chart-docs`"


@pytest.mark.parametrize("value", list(chart_docs.documented(VALUES)), ids=lambda value: value.path)
def test_every_value_has_its_words(value: chart_docs.Value) -> None:
    assert value.text or value.path.startswith(PLAIN) or value.path.endswith(PLAIN_PARTS)
    assert value.section != "Values"


def leaves(schema: dict[str, Any], above: str = "") -> set[str]:
    """The paths of the schema's own properties, down to what it leaves to a definition."""
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= leaves(part, f"{above}{name}.") if "properties" in part else {f"{above}{name}"}
    return found


def test_schema_and_values_know_the_same_values() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = leaves(schema)
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
        path for path in known if path.startswith(("strategy.", "dnsConfig.", "lifecycle."))
    } == set()
    documented = {value.path for value in chart_docs.documented(VALUES)}
    roots = {path.split(".")[0] for path in known}
    assert {path.split(".")[0] for path in documented} == roots


def test_the_crd_of_the_chart_is_the_one_in_crds() -> None:
    name = "secureredis.io_securerediscaches.yaml"
    assert (CHART / "files" / name).read_text() == (ROOT / "crds" / name).read_text()


def test_the_chart_has_no_symbolic_link() -> None:
    """Helm reports each of them at every command, and some tools do not follow them."""
    assert [path for path in CHART.rglob("*") if path.is_symlink()] == []


def test_the_icon_is_the_file_beside_the_chart() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    kind, _, encoded = chart["icon"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(encoded) == (CHART / "icon.svg").read_bytes().strip()
    assert ElementTree.parse(CHART / "icon.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - own


def test_the_chart_names_no_address_that_is_not_there() -> None:
    """There is no published repository, image or person yet."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert not chart.keys() & {"home", "sources", "maintainers", "kubeVersion"}
    assert chart["annotations"]["artifacthub.io/operatorCapabilities"] == "Basic Install"
    assert not chart["annotations"].keys() & {"artifacthub.io/images", "artifacthub.io/signKey"}


def test_artifact_hub_can_read_the_annotations() -> None:
    """Lists are text in YAML, and flags are text: a wrong one makes Artifact Hub refuse the version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    crd = yaml.safe_load(chart_docs.CRD.read_text())
    annotations = {name.removeprefix("artifacthub.io/"): text for name, text in chart["annotations"].items()}
    assert {annotations[name] for name in ("operator", "prerelease", "containsSecurityUpdates")} <= {"true", "false"}
    assert {one["kind"] for one in yaml.safe_load(annotations["changes"])} <= {"added", "changed", "fixed", "security"}
    assert all(one.keys() == {"kind", "description"} for one in yaml.safe_load(annotations["changes"]))
    assert all(one.keys() == {"name", "url"} for one in yaml.safe_load(annotations["links"]))
    assert all(one.keys() == {"url"} for one in yaml.safe_load(annotations["recommendations"]))
    (described,) = yaml.safe_load(annotations["crds"])
    assert described["name"] == crd["metadata"]["name"]
    assert described["kind"] == crd["spec"]["names"]["kind"]
    assert described["version"] in {one["name"] for one in crd["spec"]["versions"]}
    (example,) = yaml.safe_load(annotations["crdsExamples"])
    assert (example["kind"], example["apiVersion"]) == (
        described["kind"],
        f"{crd['spec']['group']}/{described['version']}",
    )


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
