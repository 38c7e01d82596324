"""ConfigMaps and other people's Secrets on a real API server: what the operator reports of them, and what never."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.usage import ConfigFacts, SecretCopy
from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.foreign_secrets import ForeignSecrets
from secure_redis.kube.workloads.config_maps import MOST, ConfigMaps
from tests.kube import Kube

HOST = "orders.redis.cache.windows.net"
KEY = "pR1m+ary/Key0000000000000000000000000000000="
OTHER = "s3C0nd+ary/Key00000000000000000000000000000="


class Clock:
    """Time that changes only when a test moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """A client of the administrator's, and how many requests it made."""

    def __init__(self) -> None:
        self.requests = 0

    def note(self, method: str, status: int, seconds: float) -> None:
        self.requests += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def admin(control_plane_kubeconfig: Path, counted: Counted) -> AsyncIterator[KubeClient]:
    opened = KubeClient(await connect(control_plane_kubeconfig), on_request=counted.note)
    yield opened
    await opened.close()


def keep(kube: Kube, namespace: str, name: str, kind: str = "Opaque", owner: str | None = None, **data: str) -> None:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if owner is not None:
        metadata["labels"] = {names.MANAGED_BY: names.MANAGER}
        metadata["annotations"] = {names.SECRET_UID: owner}
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": data})


def config(kube: Kube, namespace: str, name: str, **data: str) -> None:
    kube.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}
    )


# --- ConfigMaps -----------------------------------------------------------------------------------------------------


async def test_a_config_map_is_searched_and_its_values_are_not_kept(
    admin: KubeClient, kube: Kube, bound: str, clock: Clock, counted: Counted
) -> None:
    config(kube, bound, "app", REDIS_URL=f"redis://:{KEY}@{HOST}", note=KEY)
    maps = ConfigMaps(admin, clock)
    found = await maps.read(bound, ["app", "none"])
    assert found["none"] is None
    app = found["app"]
    assert isinstance(app, ConfigFacts)
    assert app.values["REDIS_URL"].hosts == (HOST,)
    assert KEY not in repr(app)
    assert KEY not in repr(vars(maps))
    await maps.read(bound, ["app", "none"])
    assert counted.requests == 2  # known


async def test_a_config_map_is_asked_again_and_searched_when_it_changed(
    admin: KubeClient, kube: Kube, bound: str, clock: Clock, counted: Counted
) -> None:
    config(kube, bound, "app", REDIS_URL=f"redis://{HOST}")
    maps = ConfigMaps(admin, clock, ttl=900)
    before = (await maps.read(bound, ["app"]))["app"]
    clock.now = 901
    assert (await maps.read(bound, ["app"]))["app"] is before  # the same version: nothing was searched
    assert counted.requests == 2
    body = await admin.get(f"/api/v1/namespaces/{bound}/configmaps/app")
    await admin.replace(f"/api/v1/namespaces/{bound}/configmaps/app", {**body, "data": {"REDIS_URL": "rediss://x"}})
    after = (await maps.read(bound, ["app"], fresh=True))["app"]
    assert isinstance(after, ConfigFacts)
    assert after.values["REDIS_URL"].hosts == ()


async def test_without_the_right_a_config_map_is_unknown_and_the_remedy_is_reported(
    client: KubeClient, kube: Kube, bound: str, clock: Clock
) -> None:
    """The chart of these rooms gives no permissions on workloads."""
    config(kube, bound, "app", REDIS_URL=f"redis://{HOST}")
    found = (await ConfigMaps(client, clock).read(bound, ["app"]))["app"]
    assert isinstance(found, Unknown)
    assert found.reason is Reason.NO_WORKLOAD_RIGHTS
    assert "workloads.enabled=true" in found.message


async def test_some_of_very_many_config_maps_are_not_read(admin: KubeClient, bound: str, clock: Clock) -> None:
    found = await ConfigMaps(admin, clock).read(bound, [f"n-{number:03}" for number in range(MOST + 1)])
    assert found["n-000"] is None
    assert isinstance(found[f"n-{MOST:03}"], Unknown)


# --- Secrets --------------------------------------------------------------------------------------------------------


async def test_a_copy_of_the_key_is_found_in_every_form_and_only_its_location_is_reported(
    client: KubeClient, kube: Kube, bound: str, clock: Clock
) -> None:
    quoted = KEY.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    keep(kube, bound, "bare", password=KEY)
    keep(kube, bound, "line", text=f"{HOST}:6380,password={KEY},ssl=True,abortConnect=False")
    keep(kube, bound, "uri", uri=f"rediss://:{quoted}@{HOST}:6380/0", user=f"redis://{KEY}@elsewhere")
    keep(kube, bound, "file", **{"app.json": '{\n  "password": "' + KEY.replace("/", "\\/") + '"\n}\n'})
    keep(kube, bound, "other", password=OTHER, almost=KEY[1:], longer="x" + KEY)
    keep(kube, bound, "chart", "helm.sh/release.v1", release=KEY)
    foreign = ForeignSecrets(client, clock, enabled=True)
    found = await foreign.search(bound, [SecretStr(KEY)], [HOST])
    places = [("bare", "password"), ("file", "app.json"), ("line", "text"), ("uri", "uri"), ("uri", "user")]
    assert found == tuple(SecretCopy(*place) for place in places)
    assert KEY not in repr(vars(foreign))
    assert base64.b64encode(KEY.encode()).decode() not in repr(vars(foreign))
    both = await foreign.search(bound, [SecretStr(KEY), SecretStr(OTHER)], ())
    assert isinstance(both, tuple)
    assert SecretCopy("other", "password") in both


async def test_a_connection_without_tls_is_found_and_other_hosts_are_not(
    client: KubeClient, kube: Kube, bound: str, clock: Clock
) -> None:
    keep(kube, bound, "plain", REDIS_HOST=HOST, REDIS_PORT="6379")
    keep(kube, bound, "safe", uri=f"rediss://:{OTHER}@{HOST}:6380")
    keep(kube, bound, "another", uri=f"redis://x.{HOST}")
    found = await ForeignSecrets(client, clock, enabled=True).search(bound, [], [HOST.upper()])
    assert found == (SecretCopy("plain", "REDIS_PORT", plaintext=True),)


async def test_a_published_secret_is_no_copy(
    client: KubeClient, kube: Kube, bound: str, clock: Clock, make: Callable[..., SecureRedisCache]
) -> None:
    owner = make()
    keep(kube, bound, "ours", names.SECRET_TYPE, owner.uid, password=KEY)
    keep(kube, bound, "labelled", password=KEY)
    keep(kube, bound, "another", "Opaque", owner.uid, password=KEY)
    keep(kube, bound, "left", names.SECRET_TYPE, "a resource that was deleted", password=KEY)
    found = await ForeignSecrets(client, clock, enabled=True).search(bound, [SecretStr(KEY)], [])
    assert [copy.name for copy in found] == ["another", "labelled", "left"]  # type: ignore[union-attr]


async def test_switched_off_nothing_is_asked(admin: KubeClient, bound: str, clock: Clock, counted: Counted) -> None:
    assert await ForeignSecrets(admin, clock).search(bound, [SecretStr(KEY)], [HOST]) == NOT_READ
    assert counted.requests == 0


async def test_one_list_serves_all_and_is_renewed(
    admin: KubeClient, kube: Kube, bound: str, clock: Clock, counted: Counted
) -> None:
    foreign = ForeignSecrets(admin, clock, enabled=True, ttl=900)
    assert await foreign.search(bound, [SecretStr(KEY)], []) == ()
    keep(kube, bound, "late", password=KEY)
    assert await foreign.search(bound, [SecretStr(KEY)], []) == ()
    assert counted.requests == 1
    clock.now = 901
    assert await foreign.search(bound, [SecretStr(KEY)], []) == (SecretCopy("late", "password"),)
    kube.delete("Secret", "late", bound)
    clock.now += 2
    assert await foreign.search(bound, [SecretStr(KEY)], [], fresh=True) == ()


async def test_without_the_right_or_with_too_much_it_is_unknown(
    client: KubeClient, admin: KubeClient, kube: Kube, bound: str, clock: Clock, new_namespace: Callable[..., str]
) -> None:
    unbound = new_namespace()
    found = await ForeignSecrets(client, clock, enabled=True).search(unbound, [SecretStr(KEY)], [])
    assert isinstance(found, Unknown)
    assert "secrets.searchForeign=true" in found.message
    for number in range(3):
        keep(kube, bound, f"s-{number}", password=KEY)
    few = await ForeignSecrets(admin, clock, enabled=True, most=2).search(bound, [SecretStr(KEY)], [])
    assert isinstance(few, Unknown)
    assert few.permanent
    enough = await ForeignSecrets(admin, clock, enabled=True, most=3).search(bound, [SecretStr(KEY)], [])
    assert isinstance(enough, tuple)


async def test_a_guessable_value_is_not_searched(admin: KubeClient, bound: str, clock: Clock) -> None:
    for short in ("", "hunter2", "A" * 39):
        found = await ForeignSecrets(admin, clock, enabled=True).search(bound, [SecretStr(short)], [])
        assert isinstance(found, Unknown)
