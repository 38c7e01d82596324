"""Makes a container's Python connect from and listen at its pod's address, as a network namespace would."""

import os
import socket
from typing import Any

_POD_IP = os.environ.get("SANDBOX_POD_IP")
_BIND_ADDRESS_NO_PORT = 24  # <linux/in.h>: the port is chosen at connect, so that one serves many destinations


def _from_pod(real: Any) -> Any:
    def connect(sock: socket.socket, address: Any) -> Any:
        if sock.family == socket.AF_INET and sock.getsockname()[0] == "0.0.0.0":  # noqa: S104 (compared, not bound)
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            sock.bind((_POD_IP, 0))
        return real(sock, address)

    return connect


def _at_pod(real: Any) -> Any:
    def bind(sock: socket.socket, address: Any) -> Any:
        if sock.family == socket.AF_INET and address[0] in ("", "0.0.0.0"):  # noqa: S104 (compared, not bound)
            address = (_POD_IP, address[1])  # all of a pod's addresses: other pods listen at the same port
        return real(sock, address)

    return bind


if _POD_IP:
    socket.socket.connect = _from_pod(socket.socket.connect)  # type: ignore[method-assign]
    socket.socket.connect_ex = _from_pod(socket.socket.connect_ex)  # type: ignore[method-assign]
    socket.socket.bind = _at_pod(socket.socket.bind)  # type: ignore[method-assign]
