import socket

import pytest

from sandbox.controlplane import _Port


def listener(port: int, *, share: bool) -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, so that TIME_WAIT does not matter
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(share))
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def test_a_reserved_port_is_for_our_server_only() -> None:
    port = _Port()
    try:
        with pytest.raises(OSError, match="in use"):
            listener(port.number, share=False)
        with listener(port.number, share=True) as server, socket.create_connection(("127.0.0.1", port.number), 5):
            server.settimeout(5)
            accepted, _ = server.accept()  # never given to the socket that only holds the port
            accepted.close()
    finally:
        port.release()
    listener(port.number, share=False).close()


def test_the_kernel_never_assigns_a_reserved_port() -> None:
    ports = [_Port() for _ in range(200)]
    assert len({port.number for port in ports}) == len(ports)
    for port in ports:
        port.release()
