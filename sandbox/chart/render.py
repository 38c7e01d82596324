"""Rendering the chart with the real Helm, as the tests need it."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox.helm import helm

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/secure-redis-operator"
RELEASE_NAMESPACE = "secure-redis-system"

Document = dict[str, Any]


class Refused(Exception):
    """Helm did not render the chart. The text is its error output."""


def render(
    values: Document | None = None,
    *,
    namespace: str = RELEASE_NAMESPACE,
    name: str = "secure-redis",
    tests: bool = False,
    apis: Sequence[str] = (),
) -> list[Document]:
    """Render the chart with `values` merged over its own.

    `tests`: with the pod of `helm test`. `apis`: what the cluster is taken to serve beside Kubernetes' own, like
    `monitoring.coreos.com/v1/ServiceMonitor`.

    Raises:
        Refused: the values or a template were wrong.

    """
    printed = text(values, namespace=namespace, name=name, tests=tests, apis=apis)
    return [document for document in yaml.safe_load_all(printed) if document]


def text(
    values: Document | None = None,
    *,
    namespace: str = RELEASE_NAMESPACE,
    name: str = "secure-redis",
    tests: bool = False,
    apis: Sequence[str] = (),
    options: Sequence[str] = (),
) -> str:
    """Return what `helm template` prints. `options` are further ones of Helm; the rest is as in `render`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values or {}, file)
        file.flush()
        command = [str(helm()), "template", name, str(CHART), "--namespace", namespace, "--values", file.name]
        command += [] if tests else ["--skip-tests"]
        command += [*(f"--api-versions={api}" for api in apis), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def pick(documents: list[Document], kind: str, name: str | None = None) -> Document:
    """Return the one document of that kind (and name)."""
    (found,) = [doc for doc in documents if doc["kind"] == kind and name in (None, doc["metadata"]["name"])]
    return found
