"""The Secret as an application receives it: as environment variables, or as files below SERVICE_BINDING_ROOT."""

import os
from pathlib import Path


def entry(name: str) -> str:
    """Return one entry of the Secret. The pod's manifest maps the entry `uri` to the variable REDIS_URI."""
    value = os.environ.get(f"REDIS_{name.upper()}")
    if value is not None:
        return value
    return (Path(os.environ["SERVICE_BINDING_ROOT"]) / "orders" / name).read_text()


def ca_file() -> str:
    """Return the path of the mounted `ca.crt`, which the Secret has only with an authority of the operator's own."""
    return os.environ["CA_FILE"]


MARKER = os.environ.get("MARKER", "marker")  # what the client has to write and to read again
