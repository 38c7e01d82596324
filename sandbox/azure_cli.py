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
        command = names.wrap([self._program, *arguments, "--output", "json"], self._endpoints.hosts_file)
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            # Not the arguments: a secret may be among them.
            raise AzureCliError(f"az {' '.join(arguments[:2])}: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None
