"""How a time is written."""

from datetime import UTC, datetime


def rfc3339(time: datetime) -> str:
    """Write an aware time in UTC and in whole seconds, as Kubernetes and Azure do."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
