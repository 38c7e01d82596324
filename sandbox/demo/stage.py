"""The running sandbox of the demo, read by `kubectl` and from Azure's side."""

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import names
from sandbox.api import Api
from sandbox.azure.control.client import Control
from sandbox.chart.render import ROOT
from sandbox.cli.state import Facts
from sandbox.cluster import Cluster
from sandbox.demo.story import DemoError, Story
from sandbox.processes import Child
from sandbox.toolchain import kubectl
from sandbox.waiting import wait_for

Json = dict[str, Any]
PATIENCE = 60.0  # seconds; generous, as the machine may be busy
_KUBECTL_SECONDS = 60


@dataclass
class Stage:
    """A running sandbox with the operator, as an administrator of cluster and Azure sees it."""

    story: Story
    facts: Facts
    directory: Path
    namespace: str = ""  # of the story's objects
    local_client: Child | None = None  # where there are no pods
    retired: set[str] = field(default_factory=set)  # keys that were rotated away, to be found nowhere

    def __post_init__(self) -> None:
        """Create the clients of both sides."""
        self.control = Control.of(Path(self.facts.azure))
        self.cluster = Cluster.load(Path(self.facts.kubeconfig).parent)
        self.api = Api(self.cluster)
        self._kubectl = kubectl()

    @property
    def operator_log(self) -> Path:
        """Return what the operator printed."""
        return self.directory / "operator.log"

    # --- kubectl ----------------------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the real kubectl. Returns what it printed. Raises DemoError if it failed."""
        done = subprocess.run(
            [str(self._kubectl), *arguments],
            env={**os.environ, "KUBECONFIG": self.facts.kubeconfig, "KUBECOLOR": "off"},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_KUBECTL_SECONDS,
        )
        if done.returncode != 0:
            raise DemoError(f"kubectl {' '.join(arguments[:4])}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def show(self, *arguments: str) -> str:
        """Run kubectl in the demo's namespace and show its output."""
        text = self.kubectl("-n", self.namespace, *arguments)
        self.story.command(f"kubectl -n {self.namespace} {shlex.join(arguments)}")
        self.story.output(text)
        return text

    def excerpt(self, resource: str, *headings: str) -> str:
        """Show the named parts of `kubectl describe` of a SecureRedisCache."""
        arguments = ("describe", "srcache", resource)
        text = self.kubectl("-n", self.namespace, *arguments)
        parts = "\n".join(part_of(text, heading) for heading in headings)
        self.story.command(f"kubectl -n {self.namespace} {' '.join(arguments)}    # {', '.join(headings)}")
        self.story.output(parts)
        return parts

    def get(self, kind: str, name: str) -> Json:
        """Return an object of the demo's namespace. Raises DemoError if there is none."""
        found: Json = json.loads(self.kubectl("-n", self.namespace, "get", kind, name, "-o", "json"))
        return found

    def has_node(self) -> bool:
        """Return whether pods can run here."""
        return bool(self.api.get("/api/v1/nodes").must()["items"])

    # --- the resource -----------------------------------------------------------------------------------------------

    def status(self, resource: str) -> Json:
        """Return the status of a SecureRedisCache."""
        found: Json = self._object(resource).get("status", {})
        return found

    def condition(self, resource: str, kind: str) -> tuple[str, str]:
        """Return status and reason of a condition; both empty if it is missing for the current generation."""
        found = self._object(resource)
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == kind and condition.get("observedGeneration") == found["metadata"]["generation"]:
                return condition["status"], condition["reason"]
        return "", ""

    def message(self, resource: str, kind: str) -> str:
        """Return the text of a condition."""
        conditions = self.status(resource).get("conditions", [])
        return next((str(one.get("message", "")) for one in conditions if one["type"] == kind), "")

    def until(self, resource: str, kind: str, status: str, reason: str | None = None) -> None:
        """Wait for a condition. Raises DemoError with the actual one."""

        def reached() -> bool:
            found = self.condition(resource, kind)
            return found[0] == status and reason in (None, found[1])

        try:
            wait_for(reached, PATIENCE, "", interval=0.1)
        except TimeoutError:
            conditions = self.status(resource).get("conditions", [])
            now = "; ".join(f"{c['type']}={c['status']}/{c['reason']}: {c.get('message', '')}" for c in conditions)
            wanted = f"{kind}={status}" + (f"/{reason}" if reason else "")
            raise DemoError(f"{resource} did not reach {wanted} within {PATIENCE:g} s. It says: {now}") from None

    def refresh(self, *resources: str) -> None:
        """Request a pass now, as `kubectl annotate` does, and wait until it is done."""
        asked = f"demo-{self.control.log.position()}"
        for resource in resources:
            self.kubectl(
                "-n", self.namespace, "annotate", "--overwrite", "srcache", resource, f"secureredis.io/refresh={asked}"
            )
        self.story.note(
            f"(requested a pass now: kubectl annotate srcache {' '.join(resources)} secureredis.io/refresh=…)"
        )
        for resource in resources:
            self.await_(
                functools.partial(self._looked, resource, asked),
                f"the operator to reconcile {resource} after the annotation",
            )

    def await_(self, predicate: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait for a condition of the world. Raises DemoError."""
        try:
            wait_for(predicate, seconds, what, interval=0.1)
        except TimeoutError:
            raise DemoError(f"waited {seconds:g} s for {what}") from None

    def in_names(self, *arguments: str) -> str:
        """Run a program of the demo where the made-up names resolve. Returns its output for any exit code."""
        argv = [sys.executable, "-m", *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])}
        done = subprocess.run(
            names.wrap(argv, Path(self.facts.hosts_file)),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_KUBECTL_SECONDS,
        )
        return (done.stdout + done.stderr).strip()

    def _looked(self, resource: str, asked: str) -> bool:
        return bool(self.status(resource).get("lastHandled", {}).get("refresh") == asked)

    def _object(self, resource: str) -> Json:
        answer = self.api.get(f"/apis/secureredis.io/v1alpha1/namespaces/{self.namespace}/securerediscaches/{resource}")
        return answer.must()


def part_of(text: str, heading: str) -> str:
    """Return the lines of a `kubectl describe` under the heading, included; of the status if it has that heading.

    Empty if there is none.
    """
    lines = text.splitlines()
    if "Status:" in lines:
        status = lines[lines.index("Status:") + 1 :]
        lines = status if any(line.strip() == f"{heading}:" for line in status) else lines
    for number, line in enumerate(lines):
        name = line.strip()
        if name == f"{heading}:" or name.startswith(f"{heading}: "):
            depth = len(line) - len(line.lstrip())
            kept = [line]
            for later in lines[number + 1 :]:
                if later.strip() and len(later) - len(later.lstrip()) <= depth:
                    break
                kept.append(later)
            return "\n".join(one[depth:] for one in kept)
    return ""


def row_of(table: str, name: str) -> dict[str, str]:
    """Return the row of a `kubectl get` whose NAME is `name`, by column. Empty if there is none."""
    header, *rows = table.splitlines()
    starts = [found.start() for found in re.finditer(r"\S+( \S+)*", header)]
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    for row in rows:
        if row.split()[0] == name:
            return {header[start:end].strip(): row[start:end].strip() for start, end in spans}
    return {}
