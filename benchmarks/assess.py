"""How long the assessment of one observation takes: all rules, drift and the credential, in this process."""

import os
import time
from pathlib import Path

from benchmarks import samples
from benchmarks.figures import Figures, middle, percentile
from benchmarks.options import Options
from secure_redis.domain.assess.assessment import assess
from secure_redis.domain.assess.rules import RULES

_BATCH = 20


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure processor time, so that other processes on the machine do not count. `hosts` is not used."""
    resource, observed = samples.resource(), samples.observation()
    times = []
    for _ in range(options.samples * 4):
        began = time.thread_time()
        for _ in range(_BATCH):
            assessed = assess(resource, observed, cluster_uid="cluster", ca=None)
        times.append((time.thread_time() - began) / _BATCH * 1000)
    found = assessed.compliance
    judged = 0 if found is None else found.passed + len(found.findings)
    figures.report(
        "assess of one observation against all rules",
        middle(times),
        "ms",
        target=1.0,
        compared_to=f"processor time; median of {len(times)} batches of {_BATCH}, 99th percentile "
        f"{percentile(times, 0.99):.3f} ms; {len(RULES)} rules, of which {judged} count here, drift and the credential "
        f"included; everything around the cache was read; load {os.getloadavg()[0]:.1f}",
    )
