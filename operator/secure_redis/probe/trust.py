"""The trust in Azure and Redis: the system's roots and, where one is configured, the operator's own CA file."""

import ssl
from functools import lru_cache
from pathlib import Path


def verifying(ca_file: str | None, *, name: bool = True) -> ssl.SSLContext:
    """Give the client context of at least TLS 1.2 that verifies the chain and, if `name`, that it is for the host.

    It is shared: no caller may change it.
    `ca_file`: PEM roots besides the system's; read again when the file changed. Raises OSError (also as SSLError) if it
    cannot be used.
    """
    changed = 0 if ca_file is None else Path(ca_file).stat().st_mtime_ns
    return _verifying(ca_file, changed, name)


@lru_cache(maxsize=1)
def observing() -> ssl.SSLContext:
    """Give a client context of at least TLS 1.2 that verifies nothing: only to read what a server presents.

    Nothing may be sent over a connection made with it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@lru_cache(maxsize=4)
def _verifying(ca_file: str | None, changed: int, name: bool) -> ssl.SSLContext:
    # Kept: the system's roots take 10 to 20 ms and 0.85 MiB each time.
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = name
    return context
