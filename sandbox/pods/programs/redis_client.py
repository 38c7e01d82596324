"""The application of the demo: uses Redis with the Secret's data over verified TLS and prints the results.

REDIS_URL (from the Secret's `uri`) is taken at start, as applications do; without it, the files `host`, `port`,
`username` and `password` below SERVICE_BINDING_ROOT are read at every turn. Prints a line `OK …` or `FAIL …` per
turn, never the key.
"""

import os
import signal
import ssl
import sys
import time
from pathlib import Path
from types import FrameType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_INTERVAL = float(os.environ.get("INTERVAL_SECONDS", "1"))
_READY_FILE = os.environ.get("READY_FILE")


def _connect(url: str | None) -> redis.Redis:
    once = Retry(NoBackoff(), 0)
    if url:
        if not url.startswith("rediss://"):
            raise ValueError("REDIS_URL is not a TLS address")
        return redis.Redis.from_url(url, socket_timeout=5, retry=once)
    binding = next(iter(sorted(Path(os.environ.get("SERVICE_BINDING_ROOT", "/bindings")).glob("*/host")))).parent
    parts = {name: (binding / name).read_text() for name in ("host", "port", "username", "password")}
    return redis.Redis(
        host=parts["host"],
        port=int(parts["port"]),
        username=parts["username"],
        password=parts["password"],
        ssl=True,
        ssl_check_hostname=True,
        socket_timeout=5,
        retry=once,
    )


def _turn(client: redis.Redis, number: int) -> str:
    client.ping()
    client.set("sandbox:turn", number)
    if client.get("sandbox:turn") is None:
        raise ValueError("the value just written is not there")
    connection = client.connection_pool.get_connection()
    try:
        wire: object = connection._sock  # noqa: SLF001 (redis-py has no public way)
        return str(wire.version()) if isinstance(wire, ssl.SSLSocket) else "no TLS"
    finally:
        client.connection_pool.release(connection)


def _end(number: int, _: FrameType | None) -> None:
    print(f"ending on signal {number}", flush=True)
    sys.exit(0)


def main() -> None:
    """Loop until a signal."""
    signal.signal(signal.SIGTERM, _end)
    url = os.environ.get("REDIS_URL")
    client: redis.Redis | None = None
    number = 0
    while True:
        number += 1
        try:
            client = client or _connect(url)
            tls = _turn(client, number)
            print(f"OK {number} {client.connection_pool.connection_kwargs.get('host')} {tls}", flush=True)
            if _READY_FILE:
                Path(_READY_FILE).touch()
        except (redis.RedisError, OSError, ValueError, StopIteration) as error:
            # redis-py's texts hold host and reason, no credentials.
            print(f"FAIL {number} {type(error).__name__}: {str(error)[:200]}", flush=True)
            client = None
        time.sleep(_INTERVAL)


if __name__ == "__main__":
    main()
