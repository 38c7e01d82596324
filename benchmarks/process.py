"""A program as a process: its memory and its processor time; of the operator, its own counters too."""

import os
import re
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

from benchmarks.figures import say
from sandbox.processes import Child
from sandbox.waiting import wait_for

_TICKS = os.sysconf("SC_CLK_TCK")
_SERIES = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A running program."""

    def __init__(self, child: Child) -> None:
        self.child = child

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.child.pid

    def peak_memory(self) -> float:
        """Return the most resident memory so far, in MiB (`VmHWM`)."""
        return self._status("VmHWM")

    def memory(self) -> float:
        """Return the current resident memory, in MiB."""
        return self._status("VmRSS")

    def cpu_seconds(self) -> float:
        """Return the processor time so far, user and system, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _status(self, name: str) -> float:
        return resident(self.pid, name)


class OperatorProcess(Process):
    """A running operator, whose metrics are served on `port`."""

    def __init__(self, child: Child, port: int) -> None:
        super().__init__(child)
        self.port = port
        # setpriv, sh and the namespace's launcher each become the next program: one process id from first to last.
        wait_for(self._became_operator, 30, "the operator's process to start")

    def passes(self) -> float:
        """Return how many passes have ended so far."""
        return self.metric("secureredis_passes_total")

    def metric(self, name: str, contains: str = "") -> float:
        """Return the sum of a metric's series whose labels contain a text. Raises OSError while it is not served."""
        found = (match for match in _SERIES.finditer(self.family(name)) if match["name"] == name)
        return sum(float(match["value"]) for match in found if contains in (match["labels"] or ""))

    def histogram(self, name: str) -> dict[float, float]:
        """Return the cumulative counts of a histogram by the upper bound. Raises OSError while it is not served."""
        found = (match for match in _SERIES.finditer(self.family(name)) if match["name"] == f"{name}_bucket")
        return {float(match["labels"].split('"')[1]): float(match["value"]) for match in found}

    def family(self, name: str) -> str:
        """Return the text of one metric family. Raises OSError while it is not served."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics?name[]={name}", timeout=30) as answer:
            return str(answer.read().decode())

    def _became_operator(self) -> bool:
        self.child.check()
        return b"secure_redis" in Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")


def resident(pid: int, name: str = "VmRSS") -> float:
    """Return the resident memory of a process, in MiB. Raises OSError if it has ended."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc/{pid}/status contains no {name}")
    return int(found[1]) / 1024


def spy(operator: OperatorProcess, directory: str, name: str, seconds: int) -> "subprocess.Popen[bytes] | None":
    """Profile the operator with py-spy for so long. None without a directory or without py-spy."""
    program = shutil.which("py-spy")
    if not directory or program is None:
        return None
    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    command = [program, "record", "--pid", str(operator.pid), "--duration", str(seconds), "--rate", "200", "--gil"]
    command += ["--format", "raw", "--output", str(out / f"{name}.folded")]
    say(f"py-spy records {name} for {seconds} s")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
