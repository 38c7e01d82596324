"""Runs the real azure-cli against a simulator: installed once into the cache, logged in as a service principal."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from sandbox import names
from sandbox.azure.control.endpoints import Endpoints
from sandbox.environments import EnvironmentFailedError, environment

_CLOUD = "Sandbox"


class AzureCliError(RuntimeError):
    """azure-cli cannot be installed, or a command of it failed. The text is its output."""


def azure_cli() -> Path:
    """Return the `az` program of the pinned version, in a virtual environment of its own (about 730 MB, once).

    Raises AzureCliError if it cannot be installed.
    """
    try:
        return environment("azure-cli") / "bin" / "az"
    except EnvironmentFailedError as error:
        raise AzureCliError(str(error)) from None


class AzureCli:
    """`az` with a configuration directory of its own, in which the simulator is a registered custom cloud."""

    def __init__(self, directory: Path, endpoints: Endpoints) -> None:
        """`directory` takes az's configuration, tokens included. Raises AzureCliError."""
        self._program = azure_cli()
        self._endpoints = endpoints
        self._environment = {
            **os.environ,
            "AZURE_CONFIG_DIR": str(directory.absolute()),
            "REQUESTS_CA_BUNDLE": str(endpoints.ca_file),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",  # the public cloud does not know this authority
            "AZURE_CORE_NO_COLOR": "true",
        }
        self.run("cloud", "register", "--name", _CLOUD, "--endpoint-resource-manager", endpoints.management)
        self.run("cloud", "set", "--name", _CLOUD)

    def login(self, tenant: str, client_id: str, secret: str) -> None:
        """Log in as a service principal with a client secret. Raises AzureCliError."""
        self.run("login", "--service-principal", "--username", client_id, "--password", secret, "--tenant", tenant)

    def run(self, *arguments: str) -> Any:
        """Run one command. Returns its JSON, or None for no output. Raises AzureCliError with az's message."""
        # Not all arguments in an error: a secret may be among them.
        done = self._run([self._program, *arguments, "--output", "json"], " ".join(("az", *arguments[:2])))
        return json.loads(done) if done.strip() else None

    def script(self, text: str, programs: Path) -> str:
        """Run a shell script that calls `az`, and the programs of a directory. Returns its output."""
        path = os.pathsep.join((str(programs), str(self._program.parent), os.environ["PATH"]))
        return self._run(["env", f"PATH={path}", "bash", "-euo", "pipefail", "-c", text], "the script")

    def _run(self, command: list[str | Path], name: str) -> str:
        wrapped = names.wrap(command, self._endpoints.hosts_file)
        done = subprocess.run(wrapped, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AzureCliError(f"{name}: {done.stderr.strip()[-2000:]}")
        return done.stdout
