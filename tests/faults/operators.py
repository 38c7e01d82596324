"""Operators for tests that run several at the same time, each for one team, with a log of its own."""

import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox import names
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE, ROOT
from sandbox.processes import Child
from sandbox.world import World

NO_ELECTION: dict[str, Any] = {"enabled": False}


@dataclass(frozen=True)
class Operator:
    """A running operator."""

    child: Child
    log: Path

    def entries(self) -> list[dict[str, Any]]:
        """Return its log, line by line. A line that is no JSON object is one with only `raw`."""
        return [_entry(line) for line in self.log.read_text(errors="replace").splitlines()]

    def said(self, message: str) -> dict[str, Any] | None:
        """The last log entry with this message."""
        return next((entry for entry in reversed(self.entries()) if entry.get("message") == message), None)


def operator_kubeconfig(world: World) -> Path:
    """Return a kubeconfig with the permissions that the chart gives the operator."""
    return world.cluster.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)


def start(world: World, kubeconfig: Path, *namespaces: str, **settings: Any) -> Operator:
    """Start an operator that works for these namespaces only (none: for all), without election by default."""
    return launch(("-m", "secure_redis"), world, kubeconfig, namespaces, settings)


def launch(
    program: tuple[str, ...],
    world: World,
    kubeconfig: Path,
    namespaces: tuple[str, ...],
    settings: dict[str, Any],
    *arguments: str,
) -> Operator:
    """Start `program`, as Python takes it, in place of the operator. `arguments`: its last ones."""
    tag = uuid.uuid4().hex[:8]
    home = world.directory / "operators"
    home.mkdir(exist_ok=True)
    config, log = home / f"{tag}.yaml", home / f"{tag}.log"
    changed = {"leaderElection": NO_ELECTION, "namespaces": list(namespaces), **settings}
    config.write_text(yaml.safe_dump({**world.configuration(), **changed}))
    argv: list[str] = [sys.executable, *program, "run", "--config", str(config)]
    argv += ["--kubeconfig", str(kubeconfig), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])}
    child = Child(names.wrap(argv, world.control.endpoints.hosts_file), log, name=f"operator {tag}", env=environment)
    return Operator(child, log)


@contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    """Kill the operator at the end. A failure shows its last words."""
    try:
        yield operator
    except Exception as error:
        error.add_note(f"the operator's last words:\n{operator.child.tail()}")
        raise
    finally:
        operator.child.kill()


def _entry(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"raw": line}
    return found if isinstance(found, dict) else {"raw": line}
