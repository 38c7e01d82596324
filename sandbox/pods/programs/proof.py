"""Does a canary's process hold this key? Asked so that neither side tells the key."""

import hashlib
import hmac
import secrets
import socket

PORT = 8080
_SECONDS = 5.0


def answer(password: bytes, nonce: bytes) -> bytes:
    """What a process that holds the password answers to a nonce of its asker."""
    return hmac.new(password, nonce, hashlib.sha256).hexdigest().encode()


def holds(pod_ip: str, key: str, port: int = PORT) -> bool:
    """Whether the canary in the pod of this address proves it. False also where it does not answer."""
    nonce = secrets.token_hex(16).encode()
    try:
        with socket.create_connection((pod_ip, port), timeout=_SECONDS) as connection:
            connection.sendall(nonce)
            said = connection.recv(256)
    except OSError:
        return False
    return hmac.compare_digest(said, answer(key.encode(), nonce))
