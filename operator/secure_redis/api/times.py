"""How a time is written and read."""

from datetime import UTC, datetime


def rfc3339(time: datetime) -> str:
    """Write an aware time in UTC and in whole seconds, as Kubernetes and Azure do."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str | None) -> datetime | None:
    """Read an aware time; None if the text is none.

    The API server accepts a time without a zone in a status (`format: date-time`). Such a time cannot be compared.
    """
    try:
        time = datetime.fromisoformat(text or "")
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
