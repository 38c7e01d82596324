"""One redis-server with TLS, configured with keys and TLS settings over its private socket."""

import hashlib
import os
import secrets
import shutil
from pathlib import Path

import redis.asyncio as redis_client
from redis.exceptions import RedisError

from sandbox.ca import IssuedCertificate
from sandbox.processes import Child
from sandbox.redis_cluster import NODES_FILE, REFUSED_TO_CLUSTER_CLIENTS, ClusterNode
from sandbox.redis_settings import MinimumTls
from sandbox.redis_tool import RedisTool
from sandbox.waiting import wait_for_async

_BACKEND_PORT = 16380  # on the cache's own address, which no one else uses
_START_SECONDS = 15
_ADMIN = "sandbox-admin"
_SOCKET = "redis.sock"
_FLAGS, _PONG_RECEIVED, _LINK_STATE = 2, 5, 7  # places in a line of CLUSTER NODES
_PROTOCOLS: dict[MinimumTls, str] = {
    "1.0": "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3",
    "1.1": "TLSv1.1 TLSv1.2 TLSv1.3",
    "1.2": "TLSv1.2 TLSv1.3",
}
_OLD_PROTOCOLS = "TLSv1 TLSv1.1"
# The commands that Azure Cache for Redis does not offer to its clients.
_REFUSED = "-acl -bgrewriteaof -bgsave -config -debug -migrate -module -psync -replconf -replicaof -save -shutdown"
_REFUSED += " -slaveof -sync"


class RedisProcess:
    """A running server. Nothing secret is on its command line, in its files or in its log."""

    def __init__(self, tool: RedisTool, directory: Path, address: str, node: ClusterNode | None = None) -> None:
        self._tool = tool
        self._directory = directory
        self._address = address
        self._node = node
        self._password = secrets.token_urlsafe(24)
        self._child: Child | None = None
        self._client: redis_client.Redis | None = None
        self._folder: int | None = None
        self._cache_size = 20480  # Redis's default

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        return self._child.pid if self._child is not None else None

    @property
    def alive(self) -> bool:
        """Return whether it runs."""
        return self._child is not None and self._child.alive

    @property
    def port(self) -> int:
        """Return the port at which it speaks TLS."""
        return _BACKEND_PORT if self._node is None else self._node.server_port

    @property
    def socket_path(self) -> str:
        """Return its UNIX socket, which speaks plaintext: a short name, whatever the directory's length."""
        return f"/proc/self/fd/{self._folder}/{_SOCKET}"

    async def start(self, certificate: IssuedCertificate, minimum_tls: MinimumTls, *, old_only: bool = False) -> None:
        """Start it without any key. `old_only`: it speaks nothing newer than TLS 1.1.

        Raises ProcessError with its log's end, or TimeoutError.
        """
        await self.stop()  # what a server that ended by itself has left
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._directory / _SOCKET).unlink(missing_ok=True)
        self._folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._copy(certificate)
        config = self._directory / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(self._config(_protocols(minimum_tls, old_only)))
        if self._node is not None:
            (self._directory / NODES_FILE).write_text(self._node.view())
        self._child = Child(
            [self._tool.program, "redis.conf"],
            self._directory / "redis.log",
            name=f"redis-server of {self._directory.name}",
            env={**os.environ, **self._tool.environment},
            cwd=self._directory,
        )
        self._client = redis_client.Redis(
            unix_socket_path=self.socket_path, username=_ADMIN, password=self._password, decode_responses=True
        )
        await wait_for_async(self._answers, _START_SECONDS, "redis-server to answer", interval=0.01)
        if self._node is not None:
            await self._take_over(self._node)

    async def set_keys(self, keys: tuple[str, ...], *, cut_connections: bool) -> None:
        """Accept exactly these keys from now on. Connections made before stay, unless they are cut."""
        rules = ["resetpass", *(f"#{hashlib.sha256(key.encode()).hexdigest()}" for key in keys)]
        await self._tell("ACL", "SETUSER", "default", "on", *rules)
        if cut_connections:
            await self.cut_connections()

    async def cut_connections(self) -> None:
        """Close every client's connection."""
        await self._tell("CLIENT", "KILL", "USER", "default")

    async def set_tls(self, certificate: IssuedCertificate, minimum_tls: MinimumTls, *, old_only: bool = False) -> None:
        """Serve this certificate and refuse older protocols (`old_only`: newer ones), to new connections."""
        self._copy(certificate)
        await self._tell("CONFIG", "SET", "tls-protocols", _protocols(minimum_tls, old_only))
        # The certificate files are read again when some TLS option really changes.
        self._cache_size += 1
        await self._tell("CONFIG", "SET", "tls-session-cache-size", str(self._cache_size))

    async def linked(self) -> bool:
        """Return whether this node of a cluster is connected to every other node."""
        nodes = [line.split() for line in str(await self._tell("CLUSTER", "NODES")).splitlines()]
        others = [fields for fields in nodes if "myself" not in fields[_FLAGS]]
        return all(fields[_LINK_STATE] == "connected" and fields[_PONG_RECEIVED] != "0" for fields in others)

    async def stop(self) -> None:
        """End it and remove its files; its data goes with it."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._child is not None:
            self._child.kill()
            self._child = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _take_over(self, node: ClusterNode) -> None:
        """Make the node a master that serves its slots; see `ClusterNode`."""

        async def serves() -> bool:
            return "cluster_state:ok" in str(await self._tell("CLUSTER", "INFO"))

        await wait_for_async(serves, _START_SECONDS, "the node to serve", interval=0.01)
        await self._tell("CLUSTER", "FAILOVER", "TAKEOVER")
        await self._tell("CLUSTER", "FORGET", node.predecessor)

    async def _tell(self, *command: str) -> object:
        return await self._admin.execute_command(*command)  # type: ignore[no-untyped-call]

    @property
    def _admin(self) -> redis_client.Redis:
        if self._client is None:
            raise RuntimeError("the redis-server is not started")
        return self._client

    async def _answers(self) -> bool:
        if self._child is not None:
            self._child.check()
        try:
            return bool(await self._admin.ping())
        except (RedisError, OSError):
            return False

    def _copy(self, certificate: IssuedCertificate) -> None:
        """Copy the certificate to the server by replacing the files, so that the key is never half-written."""
        for name, source in (("tls.crt", certificate.cert_file), ("tls.key", certificate.key_file)):
            scratch = self._directory / f".{name}"
            scratch.unlink(missing_ok=True)
            scratch.touch(mode=0o600)
            scratch.write_bytes(source.read_bytes())
            scratch.replace(self._directory / name)

    def _config(self, protocols: str) -> str:
        password = hashlib.sha256(self._password.encode()).hexdigest()
        refused = _REFUSED if self._node is None else f"{_REFUSED} {REFUSED_TO_CLUSTER_CLIENTS}"
        lines = [
            f"bind {self._address}",
            "protected-mode no",
            "port 0",
            f"tls-port {self.port}",
            "tls-cert-file tls.crt",
            "tls-key-file tls.key",
            "tls-auth-clients no",
            f'tls-protocols "{protocols}"',
            # OpenSSL 3 allows the protocols before 1.2 only at security level 0; the list of ciphers is no part of
            # what is simulated.
            "tls-ciphers DEFAULT:@SECLEVEL=0",
            # A world of the tests has hundreds of servers, and each is idle nearly always. The nodes of a cluster
            # find each other at the default rate.
            *(["hz 1"] if self._node is None else []),
            f"unixsocket {_SOCKET}",
            "unixsocketperm 700",
            'save ""',
            "appendonly no",
            "dir .",
            "maxmemory 64mb",
            "slowlog-log-slower-than -1",  # it would hold commands with their arguments
            f"user default on resetpass ~* &* +@all {refused}",
            f"user {_ADMIN} on #{password} ~* &* +@all",
            *([] if self._node is None else self._node.options()),
        ]
        return "\n".join(lines) + "\n"


def _protocols(minimum_tls: MinimumTls, old_only: bool) -> str:
    return _OLD_PROTOCOLS if old_only else _PROTOCOLS[minimum_tls]
