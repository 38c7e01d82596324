"""The projected token: renewed in its file, read again; while none is valid it is an outage, not an end."""

import datetime
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes.aio.config import incluster_config

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for_async
from secure_redis.kube.client import ApiFailure, KubeClient, connect
from tests.kube import Kube


class Clock(datetime.datetime):
    """The library's clock, by which it reads the file once a minute."""

    ahead = datetime.timedelta()

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "Clock":
        return super().now(tz) + cls.ahead


@pytest.fixture
def account(kube: Kube, roles: None) -> Iterator[str]:
    name = f"token-{uuid.uuid4().hex[:6]}"
    kube.create(_account(name))
    yield name
    kube.delete("ServiceAccount", name, RELEASE_NAMESPACE)


@pytest.fixture
def token_file(account: str, control_plane: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that a pod's kubelet projects, and the pod's environment."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text(control_plane.service_account_token(RELEASE_NAMESPACE, account))
    authority.write_text(control_plane.ca_pem)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(control_plane.port))
    monkeypatch.setattr(Clock, "ahead", datetime.timedelta())
    clock = SimpleNamespace(datetime=Clock, timedelta=datetime.timedelta)
    monkeypatch.setattr(incluster_config, "datetime", clock)
    return token


async def test_a_renewed_token_is_read_again(
    kube: Kube, control_plane: Cluster, account: str, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = KubeClient(await connect())
    try:
        assert await client.get("/version")
        kube.delete("ServiceAccount", account, RELEASE_NAMESPACE)
        kube.create(_account(account))  # another uid: tokens of the former one are not valid any more

        async def refused() -> bool:
            try:
                await client.get("/apis")
            except ApiFailure as failure:
                return failure.status == 401
            return False

        await wait_for_async(refused, PATIENCE, "the old token to be refused")
        _put(token_file, control_plane.service_account_token(RELEASE_NAMESPACE, account))
        monkeypatch.setattr(Clock, "ahead", datetime.timedelta(seconds=61))
        assert await client.get("/apis")
    finally:
        await client.close()


@pytest.mark.parametrize("trouble", ["empty", "missing"])
async def test_a_token_that_cannot_be_read_is_an_outage(
    control_plane: Cluster, account: str, token_file: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    client = KubeClient(await connect())
    token = control_plane.service_account_token(RELEASE_NAMESPACE, account)
    try:
        _put(token_file, "" if trouble == "empty" else None)
        monkeypatch.setattr(Clock, "ahead", datetime.timedelta(seconds=61))
        with pytest.raises(ApiFailure) as raised:
            await client.get("/apis")
        assert raised.value.status == 0
        _put(token_file, token)
        assert await client.get("/apis")
    finally:
        await client.close()


def _put(file: Path, token: str | None) -> None:
    if token is None:
        file.unlink()
    else:
        file.write_text(token)


def _account(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": RELEASE_NAMESPACE}}
