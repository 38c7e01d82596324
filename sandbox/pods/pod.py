"""One pod's life: volumes, init containers, containers, status, end."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.names import launcher
from sandbox.pods.api import STRATEGIC, ApiError, Object
from sandbox.pods.container import Container, Launch, State
from sandbox.pods.fields import MissingError, UnsupportedError, environment_of, expanded
from sandbox.pods.host import HOST_IP, Host, pod_path
from sandbox.pods.images import ImageRefusedError, check_environment, check_mounts, command_of, kept
from sandbox.pods.probes import Probe, Run, probe_of
from sandbox.pods.status import refused_status, status_of
from sandbox.pods.volumes import Content, TokenRequest, files_of, token_requests, write

_HOST_SHARES = ("hostNetwork", "hostPID", "hostIPC")
_UNABLE = (*_HOST_SHARES, "activeDeadlineSeconds", "ephemeralContainers", "shareProcessNamespace", "resourceClaims")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_WAIT_SECONDS = 2.0


class PodWorker:
    """Runs one pod until it is deleted. `update` delivers changes of the pod, `refresh` those of its references."""

    def __init__(self, host: Host, pod: Object) -> None:
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.directory: Path = host.directory / self.uid
        self._host = host
        self._ip: str | None = None
        self._inits: list[Container] = []
        self._mains: list[Container] = []
        self._initialised = self._failed = False
        self._tokens: dict[TokenRequest, tuple[str, float]] = {}
        self._refresh = asyncio.Event()
        self._dirty = asyncio.Event()
        self._deleting = asyncio.Event()
        self._refusal: tuple[str, str] | None = None
        self._written: State | None = None
        self._events: set[asyncio.Task[None]] = set()
        self.update(pod)

    def update(self, pod: Object) -> None:
        """Accept the pod's current object."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._deleting.set()
        self._refresh.set()

    def refresh(self) -> None:
        """React to a changed Secret or ConfigMap."""
        self._refresh.set()
        for container in [*self._inits, *self._mains]:
            container.woken.set()

    def log_of(self, container: str) -> Path:
        """Return the path of a container's output."""
        return self.directory / f"{container}.log"

    async def run(self) -> None:
        """Run until the pod is deleted and finalised. Cancel it when the pod is gone: it then kills everything."""
        helpers = [asyncio.create_task(self._write_status())]
        life = asyncio.create_task(self._live())
        deleting = asyncio.create_task(self._deleting.wait())
        try:
            await asyncio.wait({life, deleting}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
            await deleting
            await self._end(life)
            await self._patch()
            await self._finalise()
        finally:
            for one in [*self._inits, *self._mains]:
                one.kill()
            for task in [life, deleting, *helpers, *self._events]:
                task.cancel()
            await asyncio.gather(life, deleting, *helpers, *self._events, return_exceptions=True)
            if self._ip is not None:
                self._host.addresses.give_back(self._ip)
            await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def _live(self) -> None:
        if (self.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return  # it ended under a former stand-in
        try:
            self._ip = self._host.addresses.take()
            self._check()
            await self._make_volumes()
        except (ImageRefusedError, UnsupportedError) as error:
            reason = error.reason if isinstance(error, ImageRefusedError) else "NotSupportedBySandbox"
            self._refusal = (reason, str(error))
            self._event("Warning", reason, str(error))
            self._dirty.set()
            return
        volumes = asyncio.create_task(self._keep_volumes())
        try:
            await self._run_containers()
        finally:
            volumes.cancel()
            await asyncio.gather(volumes, return_exceptions=True)

    async def _run_containers(self) -> None:
        policy = self.pod["spec"].get("restartPolicy", "Always")
        spec = self.pod["spec"]
        self._inits = [
            self._container(one, "Never" if policy == "Never" else "OnFailure")
            for one in spec.get("initContainers") or []
        ]
        self._mains = [self._container(one, policy) for one in spec["containers"]]
        self._dirty.set()
        for one in self._inits:
            if await one.run() != 0:
                self._failed = True
                self._dirty.set()
                return
        self._initialised = True
        for one in self._mains:
            one.state = {"waiting": {"reason": "ContainerCreating"}}
        async with asyncio.TaskGroup() as group:
            for one in self._mains:
                group.create_task(one.run())

    async def _end(self, life: "asyncio.Task[None]") -> None:
        metadata = self.pod["metadata"]
        grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
        running = [one for one in [*self._inits, *self._mains] if "running" in one.state]
        for one in running:
            self._event("Normal", "Killing", f"Stopping container {one.name}")
        await asyncio.gather(*(one.end(grace) for one in [*self._inits, *self._mains]))
        if running and not any("waiting" in one.state for one in self._mains):
            await asyncio.wait({life}, timeout=_WAIT_SECONDS)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)

    async def _finalise(self) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": self.uid},
        }
        with contextlib.suppress(ApiError):
            await self._host.api.request("DELETE", pod_path(self.pod), body)

    # --- what is refused ---

    def _check(self) -> None:
        """Raise for anything that the stand-in cannot or will not do, before anything runs."""
        spec = self.pod["spec"]
        asked = [name for name in _UNABLE if spec.get(name)]
        if asked:
            raise UnsupportedError(f"the sandbox cannot do {', '.join(asked)}")
        for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
            image, _ = command_of(container, self._host.images)
            check_mounts(container, image)
            check_environment(container, image, [entry["name"] for entry in container.get("env") or []])
            if container.get("restartPolicy") or container.get("lifecycle"):
                raise UnsupportedError("the sandbox has no sidecar init containers and no lifecycle hooks")
            if container.get("volumeDevices"):
                raise UnsupportedError("the sandbox has no block devices")
            self._probes(container)
        for volume in spec.get("volumes") or []:
            with contextlib.suppress(MissingError):
                files_of(volume, self._content())

    # --- volumes ---

    def _content(self) -> Content:
        tokens = {request: token for request, (token, _) in self._tokens.items()}
        return Content(self.pod, self._host.lookup, self._addresses(), tokens)

    def _addresses(self) -> dict[str, str]:
        return {"podIP": self._ip or "", "hostIP": HOST_IP}

    async def _make_volumes(self) -> None:
        reported = ""
        while True:
            self._refresh.clear()
            try:
                await self._get_tokens()
                self._write_volumes()
            except (MissingError, ApiError, aiohttp.ClientError) as error:
                if str(error) != reported:
                    reported = str(error)
                    self._event("Warning", "FailedMount", f"MountVolume.SetUp failed: {reported}")
            else:
                return
            await self._news(_WAIT_SECONDS)

    async def _keep_volumes(self) -> None:
        """Update the files from their sources. A deleted source leaves the files unchanged."""
        while True:
            due = min((at for _, at in self._tokens.values()), default=time.monotonic() + 3600)
            await self._news(max(1.0, due - time.monotonic()))
            self._refresh.clear()
            with contextlib.suppress(MissingError, ApiError, aiohttp.ClientError):
                await self._get_tokens()
                self._write_volumes()

    async def _news(self, seconds: float) -> None:
        # `asyncio.wait_for` of Python 3.11 loses a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._refresh.wait()

    def _write_volumes(self) -> None:
        for volume in self.pod["spec"].get("volumes") or []:
            files = files_of(volume, self._content())
            directory = self._volume(volume["name"])
            if files is None:
                directory.mkdir(parents=True, exist_ok=True)
            else:
                write(directory, files)

    def _volume(self, name: str) -> Path:
        return self.directory / "volumes" / name

    async def _get_tokens(self) -> None:
        for wanted in token_requests(self.pod):
            _, due = self._tokens.get(wanted, ("", 0.0))
            if time.monotonic() < due:
                continue
            metadata = self.pod["metadata"]
            account = self.pod["spec"].get("serviceAccountName", "default")
            bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": self.uid}
            spec = {"audiences": [wanted.audience] if wanted.audience else [], "boundObjectRef": bound}
            answer = await self._host.api.request(
                "POST",
                f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token",
                {
                    "apiVersion": "authentication.k8s.io/v1",
                    "kind": "TokenRequest",
                    "spec": {**spec, "expirationSeconds": wanted.seconds},
                },
            )
            # As the kubelet: renewed after four fifths of its life.
            self._tokens[wanted] = (answer["status"]["token"], time.monotonic() + 0.8 * wanted.seconds)

    # --- containers ---

    def _container(self, spec: Mapping[str, Any], restarts: str) -> Container:
        return Container(
            spec,
            restarts=restarts,
            prepare=lambda: self._prepare(spec),
            probes=lambda _: self._probes(spec),
            changed=self._dirty.set,
            event=self._event,
            backoff_seconds=self._host.backoff_seconds,
            grace_seconds=float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)),
        )

    def _prepare(self, spec: Mapping[str, Any]) -> Launch:
        image, argv = command_of(spec, self._host.images)
        own = environment_of(self.pod, spec, self._host.lookup, self._addresses())
        try:
            check_environment(spec, image, own)  # envFrom may have brought more names
        except ImageRefusedError as error:
            raise MissingError(str(error)) from error
        env = {**self._base_environment(), **image.env, **own}
        command = [expanded(part, own) for part in argv]
        return Launch([*self._launcher(spec), *command], env, self.log_of(spec["name"]))

    def _launcher(self, spec: Mapping[str, Any]) -> list[str]:
        root = self.directory / "root"
        root.mkdir(parents=True, exist_ok=True)
        mounts = spec.get("volumeMounts") or []
        binds = [(str(self._volume(m["name"])), m["mountPath"], bool(m.get("readOnly", False))) for m in mounts]
        image, _ = command_of(spec, self._host.images)
        for mount in mounts:
            for path in kept(mount["mountPath"], image):
                (self._volume(mount["name"]) / path.removeprefix(f"{mount['mountPath']}/")).mkdir(
                    parents=True, exist_ok=True
                )
                binds.append((path, path, False))
        binds.append((str(self._host.hosts_file), "/etc/hosts", True))
        return launcher(binds, spec.get("workingDir") or "/", root)

    def _base_environment(self) -> dict[str, str]:
        server, _, port = self._host.api.server.removeprefix("https://").rpartition(":")
        return {
            "PATH": _PATH,
            "HOME": "/tmp",  # noqa: S108
            "LANG": "C.UTF-8",
            "HOSTNAME": self.pod["metadata"]["name"],
            "KUBERNETES_SERVICE_HOST": server,
            "KUBERNETES_SERVICE_PORT": port,
            "KUBERNETES_SERVICE_PORT_HTTPS": port,
            "SANDBOX_POD_IP": self._ip or "",
        }

    def _probes(self, spec: Mapping[str, Any]) -> dict[str, Probe | None]:
        image, _ = command_of(spec, self._host.images)
        run: Run | None = (lambda argv: self._exec(spec, argv)) if image.honours_command else None
        return {kind: probe_of(spec, kind, self._ip or "", run) for kind in _PROBES}

    async def _exec(self, spec: Mapping[str, Any], argv: list[str]) -> int:
        launch = self._prepare(spec)
        quiet = asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(
            *self._launcher(spec), *argv, env=dict(launch.env), stdin=quiet, stdout=quiet, stderr=quiet
        )
        try:
            return await child.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, 9)
            await child.wait()
            raise

    # --- the reported status ---

    def _event(self, kind: str, reason: str, message: str) -> None:
        task = asyncio.create_task(self._host.event(self.pod, kind, reason, message))
        self._events.add(task)
        task.add_done_callback(self._events.discard)

    async def _write_status(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not await self._patch():
                self._dirty.set()
                await asyncio.sleep(_WAIT_SECONDS)

    async def _patch(self) -> bool:
        """Write the status if it differs from the last one written. False: try again."""
        if self._refusal is not None:
            status = refused_status(self.pod, *self._refusal)
        elif self._mains:
            status = status_of(self.pod, self._ip, self._initialised, self._failed, self._inits, self._mains)
        else:
            return True
        if status == self._written:
            return True
        body = {"metadata": {"uid": self.uid}, "status": status}
        try:
            answer = await self._host.api.request("PATCH", pod_path(self.pod) + "/status", body, STRATEGIC)
        except ApiError as error:
            return error.status in (404, 409)
        except aiohttp.ClientError:
            return False
        self.pod = {**self.pod, "status": answer["status"]}
        self._written = status
        return True
