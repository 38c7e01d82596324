"""`make rotation-soak`, short: no client is refused while keys are rotated, and the soak would notice a refusal."""

import re
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from sandbox.pods.images import ImageRefusedError, check_environment, command_of, default_images
from sandbox.pods.programs.canary import address, kind_of
from sandbox.pods.programs.ledger import AUTH, Ledger, tally

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 280
SOAK = [sys.executable, "-m", "sandbox.soak"]
CALM = ("--pause", "0.05")  # the machine has other tests to run


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SOAK, *CALM, *arguments], capture_output=True, text=True, check=False, timeout=SECONDS, cwd=ROOT
    )


def verdict(output: str) -> tuple[int, int]:
    """Failed AUTHs and attempts, of the last line."""
    found = re.fullmatch(r"failed AUTH: (\d+) of (\d+)", output.rstrip().splitlines()[-1])
    assert found is not None, output[-3000:]
    return int(found[1]), int(found[2])


@pytest.mark.slow
def test_followed_rotations_refuse_no_client() -> None:
    done = run("--rotations", "2", "--only", "followed")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    failed, attempts = verdict(done.stdout)
    assert failed == 0
    assert attempts > 100
    assert len(re.findall(r"^followed \d/2 +[\d.]+ s ", done.stdout, re.MULTILINE)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("service", ["classic", "managed"])
def test_led_rotations_refuse_no_client_and_neither_does_an_emergency(service: str) -> None:
    done = run("--service", service, "--rotations", "2", "--short", "--longest", "0")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    failed, attempts = verdict(done.stdout)
    assert failed == 0
    assert attempts > 200
    told = re.findall(r"^(\w+)[ \d/]* +[\d.]+ s ", done.stdout, re.MULTILINE)
    assert told == ["followed", "followed", "led", "led", "emergency"]


@pytest.mark.slow
def test_a_key_taken_from_the_pods_is_detected() -> None:
    done = run("--sabotage")
    assert done.returncode == 1
    failed, attempts = verdict(done.stdout)
    assert 6 <= failed < attempts
    assert "AUTH: AuthenticationError" in done.stdout


def test_the_counts_of_a_killed_canary_are_not_lost(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal; from pathlib import Path; from sandbox.pods.programs.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]), 'c')\n"
        "ledger.begin(); ledger.succeed()\n"
        "ledger.begin(); ledger.fail('AUTH', 'now', 'refused')\n"
        "ledger.begin(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    other = Ledger(tmp_path, "d")
    other.begin()
    other.fail("lost", "now", "cut")
    found = tally(tmp_path)
    assert (found.canaries, found.attempts, found.answered, found.unfinished) == (2, 4, 1, 1)
    assert found.verdict() == "failed AUTH: 1 of 4"
    assert "lost 1" in found.others()
    assert {failure.canary for failure in found.failures} == {"c", "d"}
    assert (tally(tmp_path, ("d",)).attempts, tally(tmp_path, ("c", "d"))) == (1, found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (redis.AuthenticationError("invalid username-password pair or user is disabled."), AUTH),
        (redis.ResponseError("WRONGPASS invalid username-password pair"), AUTH),
        (redis.ResponseError("NOAUTH Authentication required."), AUTH),
        (redis.ResponseError("LOADING Redis is loading"), "other"),
        (redis.TimeoutError("Timeout connecting to server"), "timeout"),
        (redis.ConnectionError("Connection closed by server."), "lost"),
        (ConnectionResetError(), "lost"),
    ],
)
def test_a_refused_key_is_distinguished_from_other_failures(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


def test_the_cause_describes_the_end_of_a_connection() -> None:
    for cause, kind in ((ConnectionRefusedError(), "refused"), (ssl.SSLCertVerificationError(), "TLS")):
        error = redis.ConnectionError("Error connecting")
        error.__cause__ = cause
        assert kind_of(error) == kind


def test_a_canary_takes_its_credential_as_applications_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_BINDING_ROOT", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ValueError, match="no credential"):
        address()
    (tmp_path / "orders").mkdir()
    for name, text in {"host": "h.test", "port": "6380", "username": "default", "password": "a/b+c="}.items():
        (tmp_path / "orders" / name).write_text(text)
    assert address() == "rediss://default:a%2Fb%2Bc%3D@h.test:6380"
    monkeypatch.setenv("REDIS_URL", "rediss://default:x@other.test:6380")
    assert address() == "rediss://default:x@other.test:6380"
    monkeypatch.setenv("REDIS_URL", "redis://default:x@other.test:6379")
    with pytest.raises(ValueError, match="not one of TLS"):
        address()


def test_a_manifest_does_not_choose_where_a_canary_writes(tmp_path: Path) -> None:
    container = {"name": "c", "image": "sandbox.test/canary:1"}
    image, _ = command_of(container, default_images(tmp_path / "ca.pem"))
    assert image.env["CANARY_DIRECTORY"] == str(tmp_path / "canaries")
    with pytest.raises(ImageRefusedError, match="CANARY_DIRECTORY"):
        check_environment(container, image, ["CANARY_DIRECTORY"])
