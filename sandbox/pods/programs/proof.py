"""Checks whether a canary's process uses a key, without either side revealing the key."""

import hashlib
import hmac
import secrets
import socket

PORT = 8080
_SECONDS = 5.0


def answer(password: bytes, nonce: bytes) -> bytes:
    """Return the answer of a process that has the password to a nonce."""
    return hmac.new(password, nonce, hashlib.sha256).hexdigest().encode()


def holds(pod_ip: str, key: str, port: int = PORT) -> bool:
    """Return whether the canary at this address proves that it uses the key. False also without an answer."""
    nonce = secrets.token_hex(16).encode()
    try:
        with socket.create_connection((pod_ip, port), timeout=_SECONDS) as connection:
            connection.sendall(nonce)
            received = connection.recv(256)
    except OSError:
        return False
    return hmac.compare_digest(received, answer(key.encode(), nonce))
