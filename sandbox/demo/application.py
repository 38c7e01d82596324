"""The application of the demo: the pod of examples/consumer-deployment.yaml.

Where this system refuses mount namespaces there are no pods. Then the same program runs as an ordinary child process,
with the Secret's `uri` in its environment, as the Deployment would put it there.
"""

import base64
import os
import sys
from pathlib import Path

from sandbox import names
from sandbox.chart.render import ROOT
from sandbox.demo import shop as shops
from sandbox.demo.stage import Stage
from sandbox.processes import Child

_MANIFEST = "consumer-deployment.yaml"
_PROGRAM = ROOT / "sandbox/pods/programs/redis_client.py"
_DEPLOYMENT = "deployment/orders-client"


def start(stage: Stage) -> None:
    """Start the application, show it, and wait until it has used Redis a few times. Raises DemoError."""
    if stage.has_node():
        shops.apply(stage, _MANIFEST)
    else:
        stage.story.say(
            f"""This system refuses mount namespaces to this user, so there are no pods here. The program that the pod
            of examples/{_MANIFEST} would run is started as a local process, with the Secret's `uri` as REDIS_URL."""
        )
        stage.local_client = _local(stage)
    stage.await_(lambda: turns(stage) >= 3, "the client to talk to Redis")
    if stage.local_client is None:
        stage.show("get", "pods")


def show_log(stage: Stage, lines: int) -> list[str]:
    """Show the last lines of its log."""
    if stage.local_client is None:
        return stage.show("logs", _DEPLOYMENT, f"--tail={lines}").splitlines()
    last = log(stage).splitlines()[-lines:]
    stage.story.command(f"tail -n {lines} {stage.local_client.log}")
    stage.story.output("\n".join(last))
    return last


def log(stage: Stage) -> str:
    """Return its whole output."""
    if stage.local_client is not None:
        return stage.local_client.log.read_text(errors="replace")
    return stage.kubectl("-n", stage.namespace, "logs", _DEPLOYMENT)


def turns(stage: Stage) -> int:
    """Return how many turns succeeded; 0 before it runs. Raises ProcessError if the local one has ended."""
    if stage.local_client is not None:
        stage.local_client.check()
    elif not any(pod.get("status", {}).get("phase") == "Running" for pod in _pods(stage)):
        return 0
    good = [line.split()[1] for line in log(stage).splitlines() if line.startswith("OK ")]
    return int(good[-1]) if good else 0


def _pods(stage: Stage) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = stage.api.get(f"/api/v1/namespaces/{stage.namespace}/pods").must()["items"]
    return found


def _local(stage: Stage) -> Child:
    uri = base64.b64decode(stage.get("secret", "orders")["data"]["uri"]).decode()
    environment = {**os.environ, "REDIS_URL": uri, "SSL_CERT_FILE": stage.facts.ca_file}
    argv = names.wrap([sys.executable, str(_PROGRAM)], Path(stage.facts.hosts_file))
    return Child(argv, stage.directory / "client.log", name="client", env=environment)
