"""The alerts and the dashboard: legal for Prometheus itself, about metrics there are, and firing when they must."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from sandbox.chart.render import CHART, ROOT, Document, pick, render
from sandbox.debian import libraries, unpacked
from secure_redis.telemetry.metrics import Metrics

API = "monitoring.coreos.com/v1/PrometheusRule"
TESTS = Path(__file__).with_name("alerts_test.yaml")
# Names that a PromQL expression may hold beside metrics; what follows `by (` are labels.
_METRIC = re.compile(r"\b(?:secureredis|controller_runtime|rest_client|leader_election)_[a-z_]+\b")
_SUFFIX = re.compile(r"_(?:bucket|count|sum)$")


def rule(**values: Any) -> Document:
    given = {"prometheusRule": {"enabled": True, **values}}
    return pick(render(given, apis=[API]), "PrometheusRule")


def alerts(document: Document) -> list[Document]:
    return [one for group in document["spec"]["groups"] for one in group["rules"]]


def exported() -> set[str]:
    """Every metric that the operator exports, by the name under which Prometheus stores it."""
    names = set()
    for family in Metrics().registry.collect():
        names.add(f"{family.name}_total" if family.type == "counter" else family.name)
    return names


def promtool(*arguments: str) -> str:
    home = unpacked("prometheus")
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries(home)}
    command = [str(home / "usr/bin/promtool"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules_and_they_fire_when_they_must(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rule()["spec"]["groups"]}))
    assert "SUCCESS" in promtool("check", "rules", str(tmp_path / "rules.yaml"))
    cases = yaml.safe_load(TESTS.read_text())
    told = {one["alertname"] for case in cases["tests"] for one in case["alert_rule_test"] if one.get("exp_alerts")}
    quiet = {
        one["alertname"] for case in cases["tests"] for one in case["alert_rule_test"] if not one.get("exp_alerts")
    }
    names = {one["alert"] for one in alerts(rule())}
    assert (told, quiet) == (names, names), "every alert has a case in which it fires and one in which it does not"
    # promtool compares whole alerts: labels and annotations that depend on nothing are taken from the rules.
    known = {one["alert"]: one for one in alerts(rule())}
    for case in cases["tests"]:
        for one in case["alert_rule_test"]:
            for expected in one.get("exp_alerts") or ():
                source = known[one["alertname"]]
                expected["exp_labels"] = {**source["labels"], **expected.get("exp_labels", {})}
                expected["exp_annotations"] = {**source["annotations"], **expected.get("exp_annotations", {})}
    cases["rule_files"] = ["rules.yaml"]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(cases))
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "tests.yaml"))


def test_alerts_are_about_metrics_that_there_are() -> None:
    for one in alerts(rule()):
        used = {_SUFFIX.sub("", name) for name in _METRIC.findall(one["expr"])}
        assert used, one["alert"]
        assert used <= exported(), one["alert"]


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    dashboard = json.loads((CHART / "files/dashboard.json").read_text())
    texts = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]  # rows have none
    texts += [one["query"]["query"] for one in dashboard["templating"]["list"] if isinstance(one["query"], dict)]
    used = {_SUFFIX.sub("", name) for text in texts for name in _METRIC.findall(text)}
    assert used
    assert used <= exported()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_the_dashboard_is_as_it_is_in_its_file() -> None:
    documents = render({"grafanaDashboard": {"enabled": True}})
    found = next(one for one in documents if one["metadata"]["name"].endswith("-dashboard"))
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = found["data"].values()
    assert json.loads(text) == json.loads((CHART / "files/dashboard.json").read_text())


def test_every_alert_states_its_severity_its_meaning_and_its_runbook() -> None:
    found = alerts(rule(runbooks="https://docs.example/runbooks"))
    assert len(found) == 18
    for one in found:
        assert one["labels"]["severity"] in {"critical", "warning"}
        assert one["alert"].startswith("SecureRedis")
        assert one["annotations"]["summary"]
        assert one["annotations"]["description"]
        assert one["annotations"]["runbook_url"] == f"https://docs.example/runbooks#{one['alert'].lower()}"


def test_without_an_address_no_alert_has_a_dead_link() -> None:
    for one in alerts(rule()):
        assert "runbook_url" not in one["annotations"]
        assert one["annotations"]["runbook"] == f"docs/runbooks.md, section {one['alert']}"


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    headings = set(re.findall(r"^## (SecureRedis\w+)\s*$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE))
    assert {one["alert"] for one in alerts(rule())} == headings


def test_the_documentation_lists_each_alert_with_its_severity() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    documented = dict(re.findall(r"^\| `(SecureRedis\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert documented == {one["alert"]: one["labels"]["severity"] for one in alerts(rule())}


def test_an_alert_can_be_left_out() -> None:
    assert "SecureRedisMassDrift" not in {one["alert"] for one in alerts(rule(disabled=["SecureRedisMassDrift"]))}
