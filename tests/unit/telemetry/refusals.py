"""Refusals of Azure, Entra and Kubernetes as recorded or reported in public, with their volatile parts left open.

`recorded_refusals.json` names the source of each. An open part is written `<guid>`, `<us24>` and so on.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

_OPEN = re.compile(r"<(\w+)>")


class Refusal(NamedTuple):
    """One refusal. `message` has open parts."""

    source: str
    status: int
    code: str
    message: str


REFUSALS: Final = tuple(
    Refusal(**one) for one in json.loads((Path(__file__).parent / "recorded_refusals.json").read_text("utf-8"))
)


def _twelve_hours(at: datetime) -> str:
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"


_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2049, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
# Times as services write them, by the form's name.
TIME_FORMS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "us12": _twelve_hours,
    "us24": lambda at: f"{at:%m/%d/%Y %H:%M:%S}",
    "us12utc": lambda at: f"{_twelve_hours(at)} (UTC)",
    "us24utc": lambda at: f"{at:%m/%d/%Y %H:%M:%S} (UTC)",
    "european": lambda at: f"{at:%d.%m.%Y %H:%M:%S}",
    "iso": lambda at: f"{at:%Y-%m-%d %H:%M:%SZ}",
    "isot": lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}",
    "isotl": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}1Z",
    "offset": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}+00:00",
    "minutes": lambda at: f"{at:%Y-%m-%dT%H:%MZ}",
    "compact": lambda at: f"{at:%Y%m%dT%H%M%SZ}",
    "rfc1123": lambda at: f"{at:%a, %d %b %Y %H:%M:%S GMT}",
    "rfc850": lambda at: f"{at:%A, %d-%b-%y %H:%M:%S GMT}",
    "asctime": lambda at: f"{at:%a %b} {at.day:2} {at:%H:%M:%S %Y}",
    "unix": lambda at: f"{at:%a %b} {at.day:2} {at:%H:%M:%S UTC %Y}",
    "long": lambda at: f"{at:%A, %B} {at.day}, {at:%Y %I:%M:%S %p}",
    "go": lambda at: f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond:06}123 +0000 UTC",
    "golog": lambda at: f"{at:%Y/%m/%d %H:%M:%S}",
    "klog": lambda at: f"E{at:%m%d %H:%M:%S}.{at.microsecond:06}",
    "clock": lambda at: f"{at:%H:%M:%S}",
    "epoch": lambda at: str(int(at.timestamp())),
    "fraction": lambda at: f"{at.timestamp():.3f}",
    "milliseconds": lambda at: str(int(at.timestamp()) * 1000 + 123),
}
_HEX = (
    st.integers(0, 2**128 - 1)
    .map(lambda n: f"{n:032x}")
    .filter(lambda one: re.search("[a-f][0-9]|[0-9][a-f]", one) is not None)
)
# Everything that changes from one answer to the next, by the name of the open part.
VOLATILE: Final[Mapping[str, st.SearchStrategy[str]]] = {
    **{name: _TIMES.map(form) for name, form in TIME_FORMS.items()},
    "guid": st.uuids().map(str),
    "hex": _HEX,
    "HEX": _HEX.map(str.upper),
    "n": st.integers(0, 10**9).map(str),
    "port": st.integers(1024, 65535).map(str),
    "EDGE": st.from_regex(r"[A-Z]{3}[0-9]{2}EDGE[0-9]{4}", fullmatch=True),
}


def attempt(message: str, number: int) -> str:
    """Return the message as the attempt of that number gets it: each open part has another value in each attempt."""
    at = datetime(2026, 7, 21, 8, 35, 32, tzinfo=UTC) + number * timedelta(days=17, hours=5, minutes=7, seconds=11)
    others = {
        "guid": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        "hex": f"{0xA1 + number:032x}",
        "HEX": f"{0xA1 + number:032X}",
        "n": str(3 + 14 * number),
        "port": str(40_000 + number),
        "EDGE": f"AMS{number:02}EDGE1212",
    }
    return _OPEN.sub(
        lambda part: others[part[1]] if part[1] in others else TIME_FORMS[part[1]](at),
        message,
    )


@st.composite
def rendered(draw: Any, message: str) -> str:
    """Draw the message with each open part filled in."""
    return _OPEN.sub(lambda part: draw(VOLATILE[part.group(1)]), message)
