"""The clients' endpoint and installations, and the table at the end of `make clients`."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from tests.clients.ecosystems import AbsentError, Launcher, RefusedError, launcher
from tests.clients.endpoint import Endpoint
from tests.clients.matrix import Ecosystem

_ABSENT = "absent toolchain"
_REFUSED = "refused by the registry"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory, hosts: Path) -> Iterator[Endpoint]:
    """The Redis that every client connects to."""
    with Endpoint(tmp_path_factory.mktemp("clients"), hosts) as running:
        yield running


@pytest.fixture
def installed() -> Callable[[Ecosystem], Launcher]:
    """Installs an ecosystem's clients, or skips the test where this machine or the registry lacks them."""

    def install(ecosystem: Ecosystem) -> Launcher:
        try:
            return launcher(ecosystem)
        except AbsentError as error:
            pytest.skip(f"{_ABSENT}: {error}")
        except RefusedError as error:
            pytest.skip(f"{_REFUSED}: {error}")

    return install


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what each client did, and the counts."""
    counts: Counter[str] = Counter()
    rows = []
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            found: dict[str, Any] = dict(report.user_properties)
            if "client" not in found:
                continue
            result = outcome
            if outcome == "skipped":
                result = _ABSENT if _ABSENT in str(report.longrepr) else _REFUSED
            counts[result] += 1
            rows.append((found["ecosystem"], found["client"], found.get("version", "-"), result))
    if not rows:
        return
    terminalreporter.section("clients")
    rows.insert(0, ("from", "client", "version", "result"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join([*cells, row[3]]))
    names = ("passed", "failed", _REFUSED, _ABSENT)
    terminalreporter.write_line(", ".join(f"{counts[name]} {name}" for name in names))
