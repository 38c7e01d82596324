"""The node: registers itself, watches the pods bound to it, runs a worker for each, and serves their logs."""

import asyncio
import contextlib
import datetime
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from sandbox.addresses import Addresses
from sandbox.names import allowed
from sandbox.pods.api import STRATEGIC, Api, ApiError, Mirror, Object
from sandbox.pods.container import now
from sandbox.pods.host import HOST_IP, Host
from sandbox.pods.images import Image, default_images
from sandbox.pods.logs import LogServer
from sandbox.pods.pod import PodWorker

_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "100Gi"}
_COMPONENT = "sandbox-kubelet"


class PodsError(RuntimeError):
    """Pods cannot run on this system. The text says what is missing."""


class PodRunner:
    """The kubelet stand-in. `async with PodRunner(…)`: runs within one event loop; its processes end with this one."""

    def __init__(
        self,
        kubeconfig: Path,
        directory: Path,
        hosts_file: Path,
        *,
        images: Mapping[str, Image] | None = None,
        ca_file: Path | None = None,
        node: str = "sandbox",
        backoff_seconds: float = 2.0,
    ) -> None:
        """`hosts_file` is each container's /etc/hosts. `images` replaces the short list (for tests).

        `backoff_seconds` is the first wait before a restart; it doubles. The kubelet's is 10.
        """
        self._kubeconfig = kubeconfig
        self._directory = directory.absolute()
        self._hosts_file = hosts_file.absolute()
        self._images = dict(images) if images is not None else default_images(ca_file)
        self._node = node
        self._backoff_seconds = backoff_seconds
        self._workers: dict[str, tuple[PodWorker, asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End every container and stop. The Node and its pods stay in the API server."""
        tasks = [*self._tasks, *(task for _, task in self._workers.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._workers.clear()
        await self._stack.aclose()

    async def _start(self) -> None:
        if not await asyncio.to_thread(allowed):
            raise PodsError(
                "pods need mount namespaces, which this system refuses to ordinary users: run as root, or allow them "
                "(Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0)."
            )
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True, mode=0o700)
        self._api = Api(self._kubeconfig)
        self._stack.push_async_callback(self._api.close)
        addresses = Addresses()
        self._stack.callback(addresses.close)
        self._host = Host(
            api=self._api,
            node=self._node,
            directory=self._directory,
            hosts_file=self._hosts_file,
            images=self._images,
            addresses=addresses,
            lookup=self._lookup,
            event=self._event,
            backoff_seconds=self._backoff_seconds,
        )
        logs = LogServer(self._directory, self._log_of)
        self._stack.push_async_callback(logs.close)
        log_port = await logs.start()
        self._secrets = Mirror(self._api, "/api/v1/secrets", self._source_changed)
        self._maps = Mirror(self._api, "/api/v1/configmaps", self._source_changed)
        query = {"fieldSelector": f"spec.nodeName={self._node}"}
        self._pods = Mirror(self._api, "/api/v1/pods", self._pod_changed, query)
        await self._register(log_port)
        for mirror in (self._secrets, self._maps):
            self._tasks.append(asyncio.create_task(mirror.run()))
        await asyncio.gather(self._secrets.synced.wait(), self._maps.synced.wait())
        self._tasks.append(asyncio.create_task(self._pods.run()))
        await self._pods.synced.wait()

    async def _register(self, log_port: int) -> None:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self._node,
                "labels": {"kubernetes.io/hostname": self._node, "kubernetes.io/os": "linux"},
            },
        }
        try:
            await self._api.request("POST", "/api/v1/nodes", node)
        except ApiError as error:
            if error.status != 409:
                raise
        status = {
            "capacity": _CAPACITY,
            "allocatable": _CAPACITY,
            # No Hostname: the API server would prefer it when it asks for logs.
            "addresses": [{"type": "InternalIP", "address": HOST_IP}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}},
            "nodeInfo": _node_info(),
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "the sandbox's kubelet stand-in runs",
                    "lastHeartbeatTime": now(),
                    "lastTransitionTime": now(),
                }
            ],
        }
        await self._api.request("PATCH", f"/api/v1/nodes/{self._node}/status", {"status": status}, STRATEGIC)

    def _lookup(self, kind: str, namespace: str, name: str) -> Object | None:
        return (self._secrets if kind == "Secret" else self._maps).get(namespace, name)

    def _source_changed(self, source: Object, _gone: bool) -> None:
        for worker, _ in self._workers.values():
            if worker.pod["metadata"]["namespace"] == source["metadata"]["namespace"]:
                worker.refresh()

    def _pod_changed(self, pod: Object, gone: bool) -> None:
        uid = pod["metadata"]["uid"]
        running = self._workers.get(uid)
        if gone:
            if running is not None:
                running[1].cancel()  # deleted by force, or finalised by us: then there is nothing left to do
        elif running is not None:
            running[0].update(pod)
        else:
            worker = PodWorker(self._host, pod)
            task = asyncio.create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
            self._workers[uid] = (worker, task)
            task.add_done_callback(lambda done: self._ended(uid, done))

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        self._workers.pop(uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the worker of a pod failed: {task.get_name()}", "exception": error}
            )

    def _log_of(self, namespace: str, pod: str, container: str) -> Path | None:
        for worker, _ in self._workers.values():
            metadata = worker.pod["metadata"]
            spec = worker.pod["spec"]
            names = {one["name"] for one in [*spec["containers"], *(spec.get("initContainers") or [])]}
            if (metadata["namespace"], metadata["name"]) == (namespace, pod) and container in names:
                return worker.log_of(container)
        return None

    async def _event(self, pod: Object, kind: str, reason: str, message: str) -> None:
        metadata = pod["metadata"]
        at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:12]}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1000],
            "source": {"component": _COMPONENT, "host": self._node},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self._node,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        # An event is a courtesy: a namespace that is being deleted takes none.
        with contextlib.suppress(ApiError, aiohttp.ClientError):
            await self._api.request("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", body)


def _node_info() -> dict[str, str]:
    names = ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "kubeProxyVersion")
    return {
        **dict.fromkeys(names, ""),
        "containerRuntimeVersion": "sandbox://1",
        "kubeletVersion": "sandbox",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
