"""Structured logs: one JSON object a line. Everything that has the form of a secret is masked."""

import logging
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, TextIO

from pythonjsonlogger.json import JsonFormatter

from secure_redis.telemetry.redaction import redact

OPERATOR_LOGGER: Final = "secure_redis"

# The lowest levels of other loggers. kopf logs whole bodies at DEBUG, azure-core whole requests at INFO,
# asyncio the repr of a task's objects.
_LIBRARY_LEVELS: Final[Mapping[str, int]] = {
    "kopf": logging.WARNING,
    "azure": logging.WARNING,
    "msal": logging.WARNING,
    "aiohttp": logging.WARNING,
    "aiohttp.access": logging.ERROR,
    "urllib3": logging.WARNING,
    "kubernetes": logging.WARNING,
    "asyncio": logging.WARNING,
}
_LONGEST: Final = 20_000  # characters of one text: an exception can quote a whole answer
_OWN_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class RedactionFilter(logging.Filter):
    """Rewrites records in place: message, arguments, extra fields and the exception's text, before any formatter."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass."""
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        record.msg, record.args = redact(message[:_LONGEST]), None
        for name in set(record.__dict__) - _OWN_FIELDS:
            record.__dict__[name] = clean(record.__dict__[name])
        if record.exc_info:
            record.exc_text = describe(*_exception(record.exc_info))
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = redact(record.exc_text[:_LONGEST])
        if record.stack_info:
            record.stack_info = redact(record.stack_info[:_LONGEST])
        return True


class RepeatFilter(logging.Filter):
    """Passes the same message of a logger once in `seconds`: kopf repeats itself while an API server is away."""

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._passed: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message did not pass a short while ago. Messages are compared unformatted."""
        message, now = (record.name, record.levelno, str(record.msg)[:200]), record.created
        self._passed = {passed: at for passed, at in self._passed.items() if now - at < self._seconds}
        if message in self._passed:
            return False
        self._passed[message] = now
        return True


class _Formatter(JsonFormatter):
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Give the fields their usual names."""
        return {**log_data, "level": str(log_data.get("level", "")).lower()}


def clean(value: Any) -> Any:
    """Redact a value for a log: texts, containers of texts, and everything else by its `str`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(name)): clean(member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(member) for member in value]
    return redact(str(value)[:_LONGEST])


def describe(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> str:
    """Format a traceback with redacted text and without the source lines' values."""
    text = "".join(traceback.format_exception(kind, error, trace))
    # The start names the first cause, the end the exception and where it was raised.
    return redact(text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n…\n{text[-_LONGEST // 2 + 10 :]}")


def stack(error: BaseException) -> str:
    """Return where an exception was raised, line by line, without its text, which may quote a value."""
    return "".join(traceback.format_tb(error.__traceback__))


def setup(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs, redacted, to `stream` (standard error). `level` applies to the operator's own loggers only.

    Raises:
        ValueError: the level's name is unknown.

    """
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"unknown log level {level!r}")
    handler = logging.StreamHandler(stream or sys.stderr)
    repeats = RepeatFilter()
    handler.addFilter(_useful)
    handler.addFilter(lambda record: not record.name.startswith("kopf") or repeats.filter(record))
    handler.addFilter(RedactionFilter())
    handler.setFormatter(
        _Formatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"},
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OPERATOR_LOGGER).setLevel(level.upper())
    for name, lowest in _LIBRARY_LEVELS.items():
        logger = logging.getLogger(name)
        logger.setLevel(lowest)
        logger.handlers.clear()
        logger.propagate = True


def _useful(record: logging.LogRecord) -> bool:
    """Drop kopf's warning that it takes no signals: `cli.run` takes them, and runs kopf in a thread for that reason."""
    return not (record.name.startswith("kopf") and str(record.msg).startswith("OS signals are ignored"))


def _exception(info: Any) -> tuple[type[BaseException], BaseException | None, TracebackType | None]:
    if isinstance(info, BaseException):
        return type(info), info, info.__traceback__
    if isinstance(info, tuple) and info[0] is not None:
        return info[0], info[1], info[2]
    kind, error, trace = sys.exc_info()
    return kind or Exception, error, trace
