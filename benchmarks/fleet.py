"""Validate resources, each with a cache of one of the services and a vault secret of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import say
from benchmarks.kube import all_of, ready
from benchmarks.options import Options
from benchmarks.stage import RESOURCES, new_cache, new_cluster
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.world import CACHE_KEYS, CACHE_READ, SUBSCRIPTION, TENANT, VAULT_READ, Team, World
from secure_redis.api.azure_ids import Service
from secure_redis.domain.observe.services import CACHES
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient
from secure_redis.reconciler.observe.governance import KINDS

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Member:
    """One resource with its cache, its vault and its namespace."""

    team: Team
    name: str
    vault: str
    key: str
    service: Service


Mix = Sequence[Service]  # the services of the caches, in turn
ONE_SERVICE: Mapping[Service, Mix] = {service: (service,) for service in Service}
MIXED: Mix = tuple(Service)
_SOMETIMES = 1  # the writes in the Activity Log: they are read in mode Provision only
_OF_SOME = frozenset[str]().union(*(facts.GOVERNANCE for facts in CACHES.values()))


def build(
    world: World,
    options: Options,
    count: int | None = None,
    *,
    keys: bool = True,
    mix: Mix = ONE_SERVICE[Service.REDIS],
) -> list[Member]:
    """Create all but the resources: consenting namespaces, identities, vaults, caches and their keys in the vaults.

    `count` caches of the services in `mix`, `options.resources` if it is not given. Without `keys` the vaults stay
    empty.

    Each namespace has an identity that reads its own resource group (with `wide`, the whole subscription), and its
    share of the vaults.
    """
    count = options.resources if count is None else count
    say(f"seeding {options.namespaces} namespaces, {options.vaults} vaults and {count} caches")
    control = world.control
    teams = [world.team(f"team-{number:02}") for number in range(options.namespaces)]
    vaults: list[tuple[Team, str]] = [(team, team.name) for team in teams]
    for number in range(options.namespaces, options.vaults):
        team = teams[number % len(teams)]
        name = f"{team.name}-{number}"
        vaults.append((team, name))
        control.seed(
            seeds.Vault(name=name, tenant=TENANT, subscription=SUBSCRIPTION, group=team.name),
            seeds.RoleAssignment(
                object_id=team.object_id,
                scope=seeds.vault_scope(SUBSCRIPTION, team.name, name),
                data_actions=VAULT_READ,
            ),
        )
    if options.wide:
        scope = seeds.subscription_scope(SUBSCRIPTION)
        for team in teams:
            actions = CACHE_READ + CACHE_KEYS
            control.seed(seeds.RoleAssignment(object_id=team.object_id, scope=scope, actions=actions))
    members: list[Member] = []
    caches: list[seeds.Cache | ManagedCluster] = []
    for number in range(count):
        team, vault = vaults[number % len(vaults)]
        service = mix[number % len(mix)]
        made = new_cache if service is Service.REDIS else new_cluster
        cache = made(team, f"cache-{number:04}")
        caches.append(cache)
        members.append(Member(team, cache.name, vault, cache.primary_key or "", service))
    for start in range(0, len(caches), _BATCH):
        control.seed(*caches[start : start + _BATCH])

    def store(member: Member) -> None:
        control.keyvault.set_secret(member.vault, member.name, seeds.SecretVersion(value=member.key))

    if keys:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(store, members))
    return members


def surroundings(members: Sequence[Member]) -> int:
    """Return how many answers the operator keeps once it has read the caches' surroundings."""
    always = len(KINDS) - _SOMETIMES - len(_OF_SOME)
    return sum(always + len(CACHES[one.service].GOVERNANCE) for one in members)


def list_pages(options: Options, count: int) -> int:
    """Return how many pages of a hundred one walk for every identity has, plus the list that each is denied first."""
    if options.wide:
        return options.namespaces * -(-count // 100)
    return options.namespaces * (1 + -(-count // options.namespaces // 100))


def document(world: World, member: Member) -> dict[str, Any]:
    """Return a member's resource."""
    uri = world.control.endpoints.vault_url(member.vault)
    spec: dict[str, Any] = {"authentication": {"keyVault": {"uri": uri, "secretName": member.name}}}
    if member.service is Service.MANAGED_REDIS:
        spec["resourceID"] = managed_scope(SUBSCRIPTION, member.team.name, member.name)
    return world.resource(member.team, member.name, **spec)


async def create(kube: KubeClient, documents: Sequence[Mapping[str, Any]]) -> None:
    """Create resources."""
    say(f"creating {len(documents)} resources")
    await all_of(kube.create(paths.resources(one["metadata"]["namespace"]), one) for one in documents)


async def set_interval(kube: KubeClient, documents: Sequence[Mapping[str, Any]], seconds: int) -> None:
    """Change the interval of all resources, with one edit each."""

    async def one(metadata: Mapping[str, Any]) -> None:
        path = paths.resource(metadata["namespace"], metadata["name"])
        await kube.patch(path, {"spec": {"drift": {"intervalSeconds": seconds}}}, "merge", field_manager="author")

    await all_of(one(document["metadata"]) for document in documents)


async def await_all_ready(
    kube: KubeClient,
    count: int,
    *,
    seconds: float,
    path: str = RESOURCES,
    is_ready: Callable[[dict[str, Any]], bool] = ready,
) -> None:
    """Wait until a watch reports so many resources Ready for their generation; or the objects at `path`, `is_ready`.

    Raises:
        TimeoutError: naming how many are.

    """
    listed = await kube.list(path)
    done = {body["metadata"]["uid"] for body in listed.items if is_ready(body)}
    printed = 0

    async def follow() -> None:
        nonlocal printed
        version = listed.resource_version
        while len(done) < count:
            async for kind, body in kube.watch(path, resource_version=version):
                version = body["metadata"]["resourceVersion"]
                if kind == "MODIFIED" and is_ready(body):
                    done.add(body["metadata"]["uid"])
                    if len(done) // 250 > printed:
                        printed = len(done) // 250
                        say(f"{len(done)} of {count} are Ready")
                    if len(done) >= count:
                        return

    if len(done) < count:
        try:
            async with asyncio.timeout(seconds):
                await follow()
        except TimeoutError:
            raise TimeoutError(f"after {seconds:g} s {len(done)} of {count} resources are Ready") from None
