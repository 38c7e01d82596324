import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox import names
from sandbox.names import HostsFile, launcher, wrap


def lookup(path: Path, name: str) -> str:
    program = f"import socket; print(socket.getaddrinfo({name!r}, 80)[0][4][0])"
    done = subprocess.run(wrap([sys.executable, "-c", program], path), capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.splitlines()[-1]


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostsFile:
    # In the whole run /etc/hosts is the tests' own, with the names of hundreds of vaults at one address.
    # The library libnss-wrapper gives up at about a hundred names for one address (measured).
    monkeypatch.setattr(names, "_system_lines", lambda: "192.0.2.7 printer\n")
    return HostsFile(tmp_path / "hosts")


def test_a_name_resolves_inside_and_nothing_changes_outside(hosts: HostsFile) -> None:
    name = "inside-only.redis.sandbox.test"  # of no other test: those of other workers add theirs at any time
    hosts.set("Inside-Only.Redis.Sandbox.Test.", "127.80.0.5")
    assert lookup(hosts.path, name) == "127.80.0.5"
    assert lookup(hosts.path, "localhost") in ("127.0.0.1", "::1")
    assert name not in Path("/etc/hosts").read_text().lower()


def test_without_namespaces_the_wrapper_library_does_it(hosts: HostsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts.set("orders.redis.sandbox.test", "127.80.0.5")
    monkeypatch.setattr(names, "allowed", lambda: False)
    try:
        wrap(["true"], hosts.path)
    except names.NamesError as error:
        pytest.skip(str(error))
    assert lookup(hosts.path, "orders.redis.sandbox.test") == "127.80.0.5"
    assert lookup(hosts.path, "localhost") in ("127.0.0.1", "::1")


def test_a_name_has_one_address_and_can_be_forgotten(hosts: HostsFile) -> None:
    hosts.set("a.test", "127.0.0.2")
    hosts.set("b.test", "127.0.0.3")
    hosts.set("a.test", "127.0.0.4")
    assert (hosts.addresses()["a.test"], hosts.addresses()["b.test"]) == ("127.0.0.4", "127.0.0.3")
    inode = hosts.path.stat().st_ino
    hosts.remove("A.test")
    hosts.remove("never.test")
    assert "a.test" not in hosts.addresses()
    assert hosts.path.stat().st_ino == inode  # a bind mount follows the inode
    assert hosts.addresses()["localhost"] in ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("name", "address"), [("a b", "127.0.0.1"), ("a\n1.2.3.4 bank.example", "127.0.0.1"), ("a", "x")]
)
def test_an_invalid_name_or_address_is_refused(hosts: HostsFile, name: str, address: str) -> None:
    with pytest.raises(ValueError, match=r"not a host name|does not appear"):
        hosts.set(name, address)


def test_writers_do_not_lose_each_others_names(hosts: HostsFile) -> None:
    def add(first: int) -> None:
        own = HostsFile(hosts.path)
        for number in range(first, first + 20):
            own.set(f"n{number}.test", "127.0.0.2")

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {f"n{number}.test" for number in range(60)} <= set(hosts.addresses())


def test_a_private_root_can_mount_directories_that_the_machine_lacks(tmp_path: Path) -> None:
    if not names.allowed():
        pytest.skip("this system refuses mount namespaces")
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "key").write_text("value\n")
    (tmp_path / "root").mkdir()
    targets = ["/bindings-of-test/redis", "/var/run/secrets-of-test/a/b"]
    binds = [(str(tmp_path / "volume"), target, True) for target in targets]
    script = (
        "cat /bindings-of-test/redis/key /run/secrets-of-test/a/b/key && ! touch /bindings-of-test/redis/new && pwd"
    )
    command = [*launcher(binds, "/usr", tmp_path / "root"), "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "value\nvalue\n/usr\n", done.stderr
    assert not Path("/bindings-of-test").exists()
    assert not list((tmp_path / "root").iterdir())


def test_a_missing_program_is_reported(hosts: HostsFile) -> None:
    done = subprocess.run(wrap(["no-such-program"], hosts.path), capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "no-such-program" in done.stderr
