"""`Control`: the sync client of the simulator's control port, for tests, the CLI and the demo."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sandbox.azure.control.managed_redis import ManagedControl
from sandbox.azure.control.storage import StorageControl
from sandbox.azure.seeds import managed_redis, seeds, storage
from sandbox.azure.state.faults import Fault, Trouble, regeneration
from sandbox.azure.state.request_log import Effect, LoggedRequest
from sandbox.azure.state.settings import Settings

Json = dict[str, Any]
_TIMEOUT = 30  # seconds; the port is on loopback
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


class ControlError(RuntimeError):
    """A command was refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running simulator is. `port` is part of every URL of the made-up cloud."""

    domain: str
    port: int
    address: str
    ca_file: Path
    hosts_file: Path
    pid: int

    @property
    def authority(self) -> str:
        """Entra's URL: AZURE_AUTHORITY_HOST."""
        return f"https://login.{self.domain}:{self.port}"

    @property
    def management(self) -> str:
        """The resource manager's URL."""
        return f"https://management.{self.domain}:{self.port}"

    @property
    def management_scope(self) -> str:
        """The scope of the resource manager's tokens."""
        return f"{self.management}/.default"

    @property
    def vault_suffix(self) -> str:
        """What follows a vault's name in its host, port included."""
        return f"vault.{self.domain}:{self.port}"

    @property
    def redis_suffix(self) -> str:
        """What follows a cache's name in its host."""
        return f"redis.{self.domain}"

    @property
    def managed_redis_suffix(self) -> str:
        """What follows a cluster's name and region in its host."""
        return f"managedredis.{self.domain}"

    def vault_url(self, name: str) -> str:
        """A vault's URI."""
        return f"https://{name.lower()}.{self.vault_suffix}"

    def redis_host(self, name: str) -> str:
        """A cache's host name."""
        return f"{name.lower()}.{self.redis_suffix}"


@dataclass(frozen=True, slots=True)
class SecretState:
    """A version of a vault secret as the vault holds it."""

    version: str
    value: str = field(repr=False)
    enabled: bool
    tags: dict[str, str] | None
    expires: int | None
    not_before: int | None
    created: int
    content_type: str | None


class Control(StorageControl, ManagedControl):
    """Seeds, faults, the clock, other people's changes, and the logs of a running simulator."""

    def __init__(self, endpoints: Endpoints, url: str, token: str) -> None:
        self.endpoints = endpoints
        self._url = url
        self._token = token

    @classmethod
    def of(cls, directory: Path) -> Self:
        """The control of the simulator running with `directory`. Raises ControlError if none does."""
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

    def command(self, name: str, body: Mapping[str, Any] | None = None) -> Any:
        """Run a command of the control port. Raises ControlError with the simulator's reason."""
        request = urllib.request.Request(  # noqa: S310 - the URL is our own, on loopback
            f"{self._url}/{name}",
            data=json.dumps(body or {}).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method="POST",
        )
        # No proxy of the environment may see the control port.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise ControlError(f"{name}: {text}") from None
        except urllib.error.URLError as error:
            raise ControlError(f"{name}: the simulator does not answer: {error.reason}") from None

    # --- the world ---

    def seed(self, *things: seeds.Seed) -> None:
        """Put things into the world, in order; the same id again replaces. One request per run of one kind."""
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
        self.command("seed", {"kind": _KINDS[type(run[0])], "seeds": bodies})

    def reset(self) -> None:
        """Back to an empty world at real time with default switches; operations running are forgotten."""
        self.command("reset")

    def configure(self, **changes: Any) -> Settings:
        """Change switches (`Settings`); the others stay. Returns all."""
        return Settings.model_validate(self.command("settings", changes))

    def settings(self) -> Settings:
        """The switches as they stand."""
        return self.configure()

    @contextmanager
    def configured(self, **changes: Any) -> Iterator[Settings]:
        """Switches changed for a while."""
        before = self.settings().model_dump()
        try:
            yield self.configure(**changes)
        finally:
            self.configure(**{name: before[name] for name in changes})

    def advance(self, seconds: float) -> float:
        """Put the simulator's clock forward; what falls due has happened on return. Returns its Unix seconds."""
        return float(self.command("advance", {"seconds": seconds}))

    def now(self) -> float:
        """The simulator's Unix seconds."""
        return float(self.command("now"))

    # --- caches, as other people see and change them ---

    def cache(self, name: str) -> Json | None:
        """A cache as a reader without delay sees it; None if it is not there."""
        found: Json | None = self.command("cache", {"cache": name})
        return found

    def cache_keys(self, name: str) -> dict[str, str]:
        """A cache's keys by slot (Primary, Secondary)."""
        return dict(self.command("cache-keys", {"cache": name}))

    def portal_update(
        self,
        cache: str,
        properties: Mapping[str, Any] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        firewall_rules: Iterable[seeds.FirewallRule] | None = None,
        absent: Iterable[str] = (),
        location: str | None = None,
        busy: bool | None = None,
    ) -> None:
        """Somebody changes a cache: at once, unchecked, in wire names; `provisioningState` too. `absent` drops."""
        rules = None if firewall_rules is None else [rule.model_dump() for rule in firewall_rules]
        body = {"cache": cache, "properties": dict(properties or {}), "tags": tags, "firewall_rules": rules}
        self.command("cache-update", {**body, "absent": list(absent), "location": location, "busy": busy})

    def portal_regenerate(self, cache: str, slot: str) -> str:
        """Somebody regenerates a key. Returns the new one."""
        return str(self.command("cache-regenerate", {"cache": cache, "slot": slot}))

    def portal_delete(self, cache: str) -> None:
        """Somebody deletes a cache, and it is gone."""
        self.command("cache-remove", {"cache": cache})

    def redis_fault(self, cache: str, fault: str | None) -> None:
        """A cache's listener misbehaves from the next connection on, or behaves again (None).

        `hang`, `reset`, `http`, `wrong-certificate` or `expired-certificate`.
        """
        self.command("redis-fault", {"cache": cache, "fault": fault})

    def private_endpoint(self, cache: str, name: str, status: str = "Pending") -> None:
        """The platform team requests, approves (Approved) or rejects (Rejected) a private endpoint."""
        self.command("private-endpoint", {"cache": cache, "endpoint": {"name": name, "status": status}})

    def take_name(self, name: str) -> None:
        """Another tenant has a cache of this name."""
        self.command("foreign-name", {"name": name})

    # --- administrators ---

    def revoke_tokens(self, object_id: str) -> None:
        """Every token issued to the object until now is answered with a claims challenge."""
        self.command("revoke", {"object_id": object_id})

    def unassign(self, object_id: str, scope: str | None = None) -> int:
        """Take away the role assignments of an object (at exactly one scope). Returns how many."""
        return int(self.command("unassign", {"object_id": object_id, "scope": scope}))

    def unlock(self, name: str) -> None:
        """Remove a lock."""
        self.command("unlock", {"name": name})

    def remove_policy(self, name: str) -> None:
        """Remove a policy."""
        self.command("policy-remove", {"name": name})

    # --- vaults ---

    def set_secret(self, vault: str, name: str, version: seeds.SecretVersion | str) -> str:
        """The vault's owner stores a version, which becomes the newest. Returns its id."""
        given = seeds.SecretVersion(value=version) if isinstance(version, str) else version
        return str(self.command("secret-set", {"vault": vault, "name": name, "version": given.model_dump()}))

    def change_secret(self, vault: str, name: str, version: str = "", **change: Any) -> None:
        """Change enabled, not_before, expires, tags or content_type of a version (the newest by default)."""
        self.command("secret-change", {"vault": vault, "name": name, "version": version, "change": change})

    def delete_secret(self, vault: str, name: str, *, being_deleted: bool = False) -> None:
        """The vault's owner deletes a secret; its name stays taken."""
        self.command("secret-delete", {"vault": vault, "name": name, "being_deleted": being_deleted})

    def secret_versions(self, vault: str, name: str) -> list[SecretState]:
        """The versions of a secret with their values, oldest first; none if it is not there."""
        return [SecretState(**one) for one in self.command("secret-versions", {"vault": vault, "name": name})]

    def remove_vault(self, vault: str) -> None:
        """The vault is gone; its host still resolves."""
        self.command("vault-remove", {"vault": vault})

    # --- faults ---

    def add_fault(self, fault: Fault) -> str:
        """Put a fault in force. Returns its id."""
        return str(self.command("fault-add", fault.model_dump()))

    def remove_fault(self, identifier: str) -> None:
        """Lift a fault; a hanging request is answered 504 then."""
        self.command("fault-remove", {"id": identifier})

    def clear_faults(self) -> None:
        """Lift all faults."""
        self.command("faults-clear")

    def fault_hits(self) -> dict[str, int]:
        """How often each fault in force has hit."""
        return dict(self.command("fault-hits"))

    def regeneration_fault(self, cache: str, trouble: Trouble, *, seconds: float = 30.0, times: int | None = 1) -> str:
        """Let the next `times` regenerateKey of one cache go wrong; see `faults.regeneration`. Returns the fault's id.

        Raises ControlError if there is no such cache.
        """
        found = self.cache(cache)
        if found is None:
            raise ControlError(f"there is no cache {cache!r}")
        return self.add_fault(regeneration(str(found["id"]), trouble, seconds=seconds, times=times))

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[str]:
        """A fault for a while."""
        identifier = self.add_fault(fault)
        try:
            yield identifier
        finally:
            self.remove_fault(identifier)

    # --- logs ---

    def requests(self, since: int = 0, *, service: str | None = None, path: str = "") -> list[LoggedRequest]:
        """The requests after number `since`, of one service, with `path` somewhere in theirs (ignoring case)."""
        found = [LoggedRequest.model_validate(one) for one in self.command("requests", {"since": since})]
        return [r for r in found if service in (None, r.service) and path.lower() in r.path.lower()]

    def writes(self, since: int = 0) -> list[LoggedRequest]:
        """The requests that are writes, whatever became of them."""
        return [r for r in self.requests(since) if r.is_write]

    def effects(self, since: int = 0) -> list[Effect]:
        """What writes changed, after number `since`."""
        return [Effect.model_validate(one) for one in self.command("effects", {"since": since})]

    def mark(self) -> int:
        """A number to give as `since`: everything logged from now on is after it."""
        return int(self.command("mark"))

    def clear_logs(self) -> None:
        """Forget the logs."""
        self.command("log-clear")
