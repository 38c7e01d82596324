"""A canary: opens a fresh, verified TLS connection, AUTH with its credential, PING, close; again without a pause.

It takes the credential once, at start, as applications do: from REDIS_URL, or (without it) from the Service Binding
files below SERVICE_BINDING_ROOT. Once the first PING was answered it listens at its pod's address, for a readiness
probe. It answers each line there with the line's HMAC under the password, so a client that knows a key learns whether
the process holds it. On SIGTERM it goes on for CANARY_DRAIN_SECONDS, as an application that drains, and ends.

Settings: CANARY_PAUSE_SECONDS between attempts; CANARY_CRASH (any value): ends with code 3 immediately. Where it counts
(CANARY_DIRECTORY) is the image's to say, not a manifest's.
"""

import contextlib
import datetime
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox.pods.programs.ledger import AUTH, Ledger
from sandbox.pods.programs.proof import PORT, answer

_PAUSE = float(os.environ.get("CANARY_PAUSE_SECONDS", "0.005"))
_DRAIN = float(os.environ.get("CANARY_DRAIN_SECONDS", "0.5"))
_SECONDS = 5.0  # for a connection, and for an answer
_NO_AUTH = ("NOAUTH", "WRONGPASS", "Authentication required")


def address() -> str:
    """Return the rediss:// address with the credential from environment or binding files. Raises ValueError."""
    url = os.environ.get("REDIS_URL")
    if url is None:
        root = Path(os.environ.get("SERVICE_BINDING_ROOT", "/bindings"))
        bindings = sorted(path.parent for path in root.glob("*/host"))
        if not bindings:
            raise ValueError(f"no credential: neither REDIS_URL nor a binding below {root}")
        part = {
            name: quote((bindings[0] / name).read_text(), safe="") for name in ("host", "port", "username", "password")
        }
        url = f"rediss://{part['username']}:{part['password']}@{part['host']}:{part['port']}"
    if not url.startswith("rediss://"):
        raise ValueError("the address is not one of TLS (rediss://)")
    return url


def attempt(pool: redis.ConnectionPool) -> None:
    """Make one fresh connection: TLS with a verified name, AUTH, PING. Raises the error."""
    connection = pool.connection_class(**pool.connection_kwargs)  # of its own: the pool would count it
    try:
        connection.connect()
        connection.send_command("PING", check_health=False)
        connection.read_response()
    finally:
        connection.disconnect()


def kind_of(error: BaseException) -> str:
    """Return the kind of failure: AUTH (the key was not accepted), timeout, TLS, refused, lost or other."""
    if isinstance(error, redis.AuthenticationError | redis.exceptions.AuthorizationError):
        return AUTH
    if isinstance(error, redis.ResponseError) and str(error).startswith(_NO_AUTH):
        return AUTH
    causes = list(_causes(error))
    if any(isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError) for one in causes):
        return "TLS"
    if any(isinstance(one, redis.TimeoutError | TimeoutError) for one in causes):
        return "timeout"
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return "refused"
    return "lost" if any(isinstance(one, redis.ConnectionError | OSError) for one in causes) else "other"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Listener(threading.Thread):
    """Signals readiness by listening, and proves which key the process uses without revealing it."""

    def __init__(self, password: bytes) -> None:
        super().__init__(daemon=True)
        self._password = password
        self._socket = socket.create_server((os.environ.get("SANDBOX_POD_IP") or "127.0.0.1", PORT))

    def run(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_SECONDS)
                asked = connection.recv(256)
                if asked:  # a probe only connects
                    connection.sendall(answer(self._password, asked))


def main() -> int:
    """Connect repeatedly until a signal. Returns the exit code."""
    until: list[float] = []
    signal.signal(signal.SIGTERM, lambda *_: until.append(time.monotonic() + _DRAIN))
    if os.environ.get("CANARY_CRASH"):
        print("canary: it crashes on request", flush=True)
        return 3
    try:
        url = address()
        directory = Path(os.environ["CANARY_DIRECTORY"])
    except (ValueError, OSError, KeyError) as error:
        print(f"canary: cannot start: {error if isinstance(error, ValueError) else type(error).__name__}", flush=True)
        return 2
    pool = redis.ConnectionPool.from_url(
        url,
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
    )
    ledger = Ledger(directory, f"{os.environ.get('HOSTNAME', 'canary')}.{os.getpid()}.{time.monotonic_ns()}")
    listener: _Listener | None = None
    printed = time.monotonic()
    while not until or time.monotonic() < until[0]:
        ledger.begin()
        try:
            attempt(pool)
        except Exception as error:  # whatever it is, it is counted
            text = f"{type(error).__name__}: {error}"  # redis-py's texts hold host and reason, no credentials
            ledger.fail(kind_of(error), datetime.datetime.now(datetime.UTC).isoformat(), text)
            print(f"FAIL {ledger.attempts} {kind_of(error)}: {text[:200]}", flush=True)
        else:
            ledger.succeed()
            if listener is None:
                listener = _Listener(_password(url))
                listener.start()
        if time.monotonic() - printed >= 1:
            printed = time.monotonic()
            _tell(ledger)
        time.sleep(_PAUSE)
    _tell(ledger)
    return 0


def _password(url: str) -> bytes:
    return unquote(urlsplit(url).password or "").encode()


def _tell(ledger: Ledger) -> None:
    print(f"CANARY {ledger.attempts} attempts, {ledger.answered} answered, {ledger.failed} failed", flush=True)


if __name__ == "__main__":
    sys.exit(main())
