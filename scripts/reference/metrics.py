"""Composes the page of the metrics from the operator's registry, the chart's alerts and its dashboard."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from prometheus_client.metrics_core import Metric

from sandbox.chart.render import CHART
from scripts.reference.entries import text
from secure_redis.api.resource import Key
from secure_redis.api.status import Condition, Status
from secure_redis.telemetry.metrics import Metrics

SHOWN: Final = "secureredis_status_condition"  # the series of the example
_PROCESS: Final = "process_"
_PER_RESOURCE: Final = ("namespace", "name")
_GROUPS: Final = ("Resources", "Operator", "Azure", "API server of Kubernetes", "Process")
_NAME: Final = re.compile(r"\b(?:secureredis|controller_runtime|rest_client|leader_election|process)_[a-z_]+\b")
_OF_HISTOGRAM: Final = re.compile(r"_(?:bucket|count|sum)$")

_BEFORE: Final = f"""\
You need this page when you write a query, an alert or a dashboard. The operator serves the metrics at `/metrics`. For
example, the conditions of one resource:

```console
$ kubectl -n secure-redis-system port-forward deployment/secure-redis-operator 8080 > /dev/null &
$ curl --silent --get --data-urlencode 'name[]={SHOWN}' http://127.0.0.1:8080/metrics"""
_AFTER: Final = """\
```

Only the replica that leads has the series of resources. [Operations](../operations.md#metrics) describes how Prometheus
reaches the port. The parameter `name[]` selects metrics. The series of a resource end when the resource is deleted.

Names state the unit: `_seconds` is a duration in seconds, `_timestamp_seconds` is a time in seconds since 1970, and
`_total` counts since the start of the process. A histogram has the series `_bucket`, `_sum` and `_count`."""


@dataclass(frozen=True)
class Described:
    """One metric as Prometheus stores it."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def group(self) -> str:
        """The section of the page in which it is."""
        if self.name.startswith(_PROCESS):
            return "Process"
        if self.name.startswith("rest_client_"):
            return "API server of Kubernetes"
        if self.name.startswith("secureredis_azure_"):
            return "Azure"
        return "Resources" if self.labels[:2] == _PER_RESOURCE else "Operator"

    @property
    def unit(self) -> str:
        """The unit of its values, which its name states."""
        if self.name.endswith("_timestamp_seconds"):
            return "seconds since 1970"
        return next((unit for unit in ("seconds", "bytes") if re.search(rf"_{unit}(?:_total)?$", self.name)), "")


def page(head: Sequence[str]) -> str:
    """Return the page below its heading."""
    lines = [*head, *_BEFORE.splitlines(), *_example().splitlines(), *_AFTER.splitlines()]
    alerts, panels = _uses_in_alerts(), _uses_in_dashboard()
    found = sorted(described(), key=lambda one: one.name)
    for group in _GROUPS:
        lines += ["", f"## {group}"]
        for metric in found:
            if metric.group == group:
                lines += _entry(metric, alerts.get(metric.name, []), panels.get(metric.name, []))
    return "\n".join(lines) + "\n"


def described() -> Iterator[Described]:
    """Yield all metrics of the operator's registry."""
    for collector in list(Metrics().registry._collector_to_names):  # noqa: SLF001 - the library does not publish labels
        for family in collector.collect():
            labels: Sequence[str] = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
            yield _described(family, tuple(labels))


def _described(family: Metric, labels: tuple[str, ...]) -> Described:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Described(name, family.type, labels, family.documentation)


def _entry(metric: Described, alerts: Sequence[str], panels: Sequence[str]) -> Iterator[str]:
    meaning = metric.meaning if metric.meaning.endswith(".") else f"{metric.meaning}."
    yield from ("", f"### `{metric.name}`", "", text(meaning), "")
    yield f"- Type: {metric.type}"
    if metric.labels:
        yield f"- Labels: {', '.join(f'`{label}`' for label in metric.labels)}"
    if metric.unit:
        yield f"- Unit: {metric.unit}"
    if alerts:
        yield "- Alerts: " + ", ".join(f"[{name}](../runbooks.md#{name.lower()})" for name in alerts)
    if panels:
        yield f"- Dashboard: {', '.join(panels)}"


def _example() -> str:
    metrics = Metrics()
    status = Status(conditions=(Condition(type="Ready", status="True", reason="Ready"),))
    metrics.report(Key("shop", "orders"), status, 300)
    return metrics.render([SHOWN]).decode()


def _uses_in_alerts() -> Mapping[str, list[str]]:
    groups = yaml.safe_load((CHART / "files/alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return _by_metric({rule["alert"]: [rule["expr"]] for group in groups for rule in group["rules"]})


def _uses_in_dashboard() -> Mapping[str, list[str]]:
    panels: Sequence[Any] = json.loads((CHART / "files/dashboard.json").read_text(encoding="utf-8"))["panels"]
    return _by_metric({one["title"]: [target["expr"] for target in one.get("targets", ())] for one in panels})


def _by_metric(users: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for user, expressions in users.items():
        named = [one for expression in expressions for one in _NAME.findall(expression)]
        for name in dict.fromkeys(_OF_HISTOGRAM.sub("", one) for one in named):
            found.setdefault(name, []).append(user)
    return found
