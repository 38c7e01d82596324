"""`Control`: the sync client of the simulator's control port, for tests, the CLI and the demo."""

import json
from pathlib import Path
from typing import Self

from sandbox.azure.control.clients.access import AccessControl
from sandbox.azure.control.clients.clock import ClockControl
from sandbox.azure.control.clients.faults import FaultControl
from sandbox.azure.control.clients.keyvault import KeyVaultControl
from sandbox.azure.control.clients.log import LogControl
from sandbox.azure.control.clients.managed_redis import ManagedRedisControl
from sandbox.azure.control.clients.redis import RedisControl
from sandbox.azure.control.clients.settings import SettingsControl
from sandbox.azure.control.clients.storage import StorageControl
from sandbox.azure.control.endpoints import Endpoints
from sandbox.azure.control.port import ControlError, ControlPort
from sandbox.azure.seeds import managed_redis, seeds, storage

_KINDS: dict[type[seeds.Seed], str] = {
    seeds.Tenant: "tenant",
    seeds.App: "app",
    seeds.Issuer: "issuer",
    seeds.Subscription: "subscription",
    seeds.Group: "group",
    seeds.Cache: "cache",
    seeds.Vault: "vault",
    seeds.RoleAssignment: "assignment",
    seeds.Lock: "lock",
    seeds.Policy: "policy",
    seeds.Region: "region",
    storage.StorageAccount: "storage",
    storage.VaultKey: "vault-key",
    managed_redis.ManagedCluster: "managed",
}


class Control:
    """Controls a running simulator. `seed` adds things to its world; each attribute changes one subject of it."""

    def __init__(self, endpoints: Endpoints, url: str, token: str) -> None:
        self.endpoints = endpoints
        self.port = ControlPort(url, token)
        self.redis = RedisControl(self.port)
        self.managed_redis = ManagedRedisControl(self.port)
        self.storage = StorageControl(self.port)
        self.keyvault = KeyVaultControl(self.port)
        self.access = AccessControl(self.port)
        self.faults = FaultControl(self.port)
        self.settings = SettingsControl(self.port)
        self.clock = ClockControl(self.port)
        self.log = LogControl(self.port)

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Connect to the simulator that runs with `directory`. Raises ControlError if none does."""
        try:
            ready = json.loads((directory / "azure.json").read_text())
        except FileNotFoundError:
            raise ControlError(f"no Azure simulator runs with {directory}; start `python -m sandbox.azure`") from None
        endpoints = Endpoints(
            ready["domain"],
            ready["port"],
            ready["address"],
            Path(ready["ca_file"]),
            Path(ready["hosts_file"]),
            ready["pid"],
        )
        return cls(endpoints, ready["control"], ready["token"])

    def seed(self, *things: seeds.Seed) -> None:
        """Put things into the world, in order. A thing with an id that exists replaces it."""
        # One request per run of one kind.
        run: list[seeds.Seed] = []
        for thing in things:
            if run and type(run[0]) is not type(thing):
                self._seed(run)
                run = []
            run.append(thing)
        if run:
            self._seed(run)

    def _seed(self, run: list[seeds.Seed]) -> None:
        bodies = [one.model_dump(mode="json") for one in run]
        self.port.command("seed", {"kind": _KINDS[type(run[0])], "seeds": bodies})

    def reset(self) -> None:
        """Empty the world, and return to real time and the default settings. Running operations are forgotten."""
        self.port.command("reset")
