"""The running operator emits the series that docs/reference/metrics.md lists: each is connected to what it measures."""

import time

from sandbox.waiting import PATIENCE, wait_for
from tests.integration.operator.support import Case
from tests.integration.operator.test_probe_live import metric, probed
from tests.unit.telemetry.test_documented_metrics import documented

# These need an incident. The unit tests of what they measure cause it.
INCIDENTS = {
    "secureredis_azure_throttled_total",
    "secureredis_brake_held_total",
    "secureredis_cache_retires_timestamp_seconds",
    "secureredis_condition_waived",
    "secureredis_namespace_passes_waiting",
    "secureredis_rotation_due_timestamp_seconds",
    "secureredis_rotation_started_timestamp_seconds",
    "controller_runtime_reconcile_errors_total",
}


def sample(case: Case, series: str) -> float | None:
    """The value of a series, which is written as Prometheus does."""
    found = [line.rsplit(" ", 1) for line in metric(case.world, series)]
    return next((float(value) for name, value in found if name == series), None)


def test_the_documented_series_are_emitted(case: Case) -> None:
    case.published()
    probed(case)
    expires = int(time.time()) + 86400
    case.store(expires=expires)
    case.poke()
    where = f'{{name="{case.document["metadata"]["name"]}",namespace="{case.team.namespace}"}}'
    tampered = sample(case, "secureredis_tampering_total") or 0.0
    case.edit_secret({"data": {"host": "ZXZpbA=="}})
    wait_for(
        lambda: (sample(case, "secureredis_tampering_total") or 0.0) > tampered, PATIENCE, "the tampering to count"
    )
    assert sample(case, f"secureredis_credential_expires_timestamp_seconds{where}") == expires
    age = time.time() - (sample(case, f"secureredis_credential_published_timestamp_seconds{where}") or 0.0)
    assert 0 <= age < PATIENCE * 3
    assert sample(case, f"secureredis_drift_interval_seconds{where}") == case.status["effective"]["intervalSeconds"]
    for brake in ("MassDrift", "ReadOnly"):
        assert sample(case, f'secureredis_brake_engaged{{brake="{brake}"}}') == 0
    missing = {name for name in documented() if not metric(case.world, name)}
    assert missing <= INCIDENTS
    assert not [line for line in metric(case.world, "") if "_created" in line]
