"""The control port: plain HTTP on loopback, one bearer token per directory. Azure has no such port."""

import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from sandbox.azure.control.commands import access, keyvault, managed_redis, redis, storage
from sandbox.azure.seeds import managed_redis as managed_redis_seeds
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds import storage as storage_seeds
from sandbox.azure.state import storage as storage_state
from sandbox.azure.state.faults import Fault
from sandbox.azure.state.keyvault import VaultState
from sandbox.azure.state.world import World

Json = dict[str, Any]
_SEEDS: dict[str, type[BaseModel]] = {
    "tenant": seeds.Tenant,
    "app": seeds.App,
    "issuer": seeds.Issuer,
    "subscription": seeds.Subscription,
    "group": seeds.Group,
    "cache": seeds.Cache,
    "vault": seeds.Vault,
    "assignment": seeds.RoleAssignment,
    "lock": seeds.Lock,
    "policy": seeds.Policy,
    "region": seeds.Region,
    "storage": storage_seeds.StorageAccount,
    "vault-key": storage_seeds.VaultKey,
    "managed": managed_redis_seeds.ManagedCluster,
}


class ControlApi:
    """Dispatches commands. An unknown or wrong command is answered 400 with the error."""

    def __init__(self, world: World, token: str, enter_host: Callable[[str], None]) -> None:
        """`enter_host` makes a host name of the simulator resolvable."""
        self._world = world
        self._token = token
        self._enter_host = enter_host

    def application(self) -> web.Application:
        """Return the application behind the control port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/{command}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return web.json_response({"error": "the control token is missing or wrong"}, status=401)
        try:
            body = json.loads(await request.read() or b"{}")
            result = await self._run(request.match_info["command"], body)
        except ValidationError as error:
            # include_input=False: what was sent may be a key.
            problem = json.dumps(error.errors(include_input=False, include_context=False, include_url=False))
            return web.json_response({"error": problem}, status=400)
        except (ValueError, KeyError) as error:
            return web.json_response({"error": str(error)}, status=400)
        except RuntimeError as error:
            # Of the Redis fleet: no server to be had, no address free. Its text says what to do.
            return web.json_response({"error": str(error)}, status=500)
        return web.json_response(result)

    async def _run(self, command: str, body: Json) -> Any:
        world = self._world
        await world.timeline.run_due()
        match command:
            case "seed":
                return await self._seed(body["kind"], body["seeds"])
            case "settings":
                world.settings = type(world.settings).model_validate({**world.settings.model_dump(), **body})
                return world.settings.model_dump()
            case "advance":
                world.timeline.advance(float(body["seconds"]))
                await world.timeline.run_due()
                return world.timeline.now()
            case "now":
                return world.timeline.now()
            case "fault-add":
                fault = Fault.model_validate(body)
                world.faults.add(fault)
                return fault.id
            case "fault-remove":
                world.faults.remove(str(body["id"]))
                return None
            case "faults-clear":
                world.faults.clear()
                return None
            case "fault-hits":
                return world.faults.hits()
            case "requests":
                since = int(body.get("since", 0))
                return [r.model_dump() for r in world.log.requests if r.number > since]
            case "effects":
                since = int(body.get("since", 0))
                return [e.model_dump() for e in world.log.effects if e.number > since]
            case "reset":
                await world.reset()
                return None
            case "log-position":
                return world.log.number()
            case "log-clear":
                world.log.clear()
                return None
        for subject in (redis, managed_redis, storage, keyvault, access):
            if command in subject.COMMANDS:
                return await subject.run(world, command, body)
        raise ValueError(f"there is no command {command!r}")

    async def _seed(self, kind: str, given: list[Json]) -> int:
        if kind not in _SEEDS:
            raise ValueError(f"no such kind of seed: {kind!r}; there are {', '.join(sorted(_SEEDS))}")
        parsed = [_SEEDS[kind].model_validate(one) for one in given]
        for one in parsed:
            await self._put(one)
        return len(parsed)

    async def _put(self, seed: BaseModel) -> None:
        world = self._world
        match seed:
            case seeds.Tenant():
                world.tenants[seed.id.lower()] = seed
            case seeds.App():
                world.apps[seed.client_id.lower()] = seed
            case seeds.Issuer():
                world.issuers[seed.issuer] = seed
            case seeds.Subscription():
                world.subscriptions[seed.id.lower()] = seed
            case seeds.Group():
                world.groups[seed.subscription.lower(), seed.name.lower()] = seed
            case seeds.Cache():
                await world.add_cache(seed)
            case seeds.Vault():
                known = world.vaults.get(seed.name.lower())
                if known is not None:
                    known.seed = seed
                else:
                    world.vaults[seed.name.lower()] = VaultState(seed)
                self._enter_host(world.names.vault_host(seed.name))
            case managed_redis_seeds.ManagedCluster():
                await world.add_cluster(seed)
            case storage_seeds.StorageAccount():
                world.storage[seed.name.lower()] = storage_state.from_seed(seed)
            case storage_seeds.VaultKey():
                version = seed.version or uuid.uuid4().hex
                key = seed.model_copy(update={"version": version})
                world.vault_keys[seed.vault.lower(), seed.name.lower()] = key
            case seeds.RoleAssignment():
                world.assign(seed)
            case seeds.Lock():
                world.locks.append(seed)
            case seeds.Policy():
                world.policies.append(seed)
            case seeds.Region():
                world.regions[seed.name.lower()] = seed
