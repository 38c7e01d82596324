"""`python -m sandbox.demo.plaintext HOST PORT`: shows what a client without TLS gets. One line; needs no key."""

import socket
import sys

_SECONDS = 3.0


def attempt(host: str, port: int) -> str:
    """Send a PING without TLS and key. Returns `refused: …` without a connection, else `answered: …`."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(256)
    except OSError as error:
        return f"refused: {error.strerror or type(error).__name__}"
    first = answer.split(b"\r\n")[0].decode(errors="replace")
    return f"answered: {first}" if first else "refused: closed without an answer"


if __name__ == "__main__":
    print(attempt(sys.argv[1], int(sys.argv[2])))
