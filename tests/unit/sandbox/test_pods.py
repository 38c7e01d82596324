import base64
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.pods.fields import MissingError, UnsupportedError, environment_of, expanded, field_value
from sandbox.pods.images import ImageRefusedError, check_environment, check_mounts, command_of, default_images
from sandbox.pods.volumes import Content, TokenRequest, files_of, token_requests, write

IMAGES = default_images()
ADDRESSES = {"podIP": "127.70.0.2", "hostIP": "127.0.0.1"}
POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "shop", "uid": "u", "labels": {"app": 'a"b', "tier": "x"}},
    "spec": {"nodeName": "sandbox", "containers": []},
}
OBJECTS = {
    ("Secret", "shop", "keys"): {"data": {"uri": base64.b64encode(b"rediss://x").decode()}},
    ("ConfigMap", "shop", "settings"): {"data": {"mode": "calm"}, "binaryData": {"raw": "AAE="}},
}


def lookup(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
    return OBJECTS.get((kind, namespace, name))


def content(**tokens: str) -> Content:
    return Content(POD, lookup, ADDRESSES, {TokenRequest(audience, 3600): token for audience, token in tokens.items()})


@pytest.mark.parametrize("image", ["sandbox.test/sleep", "sandbox.test/sleep:1", "sandbox.test/sleep@sha256:ab"])
def test_an_image_is_known_whatever_its_tag(image: str) -> None:
    assert command_of({"name": "c", "image": image}, IMAGES)[1][-1] == "infinity"


@pytest.mark.parametrize(
    "image", ["sleep", "evil.test/sandbox.test/sleep", "sandbox.test/sleep/x", "sandbox.test:5000/sleep"]
)
def test_other_images_are_not(image: str) -> None:
    with pytest.raises(ImageRefusedError, match="not one the sandbox runs"):
        command_of({"name": "c", "image": image}, IMAGES)


def test_the_operators_arguments_are_its_own_and_no_command() -> None:
    container = {"name": "c", "image": "sandbox.test/operator:1", "args": ["run", "--config", "/etc/x"]}
    assert command_of(container, IMAGES)[1][-3:] == ["run", "--config", "/etc/x"]
    with pytest.raises(ImageRefusedError, match="command"):
        command_of({**container, "command": ["sh"]}, IMAGES)
    for argument in ("--kubeconfig=/bindings/with-exec-plugin", "--kube$(X)=/bindings/with-exec-plugin"):
        with pytest.raises(ImageRefusedError, match="with-exec-plugin"):
            command_of({**container, "args": ["run", argument]}, IMAGES)


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PATH",
        "KUBECONFIG",
        "OPENSSL_CONF",
        "GCONV_PATH",
    ],
)
def test_variables_that_run_code_are_refused(name: str) -> None:
    container = {"name": "c", "image": "sandbox.test/redis-client"}
    image, _ = command_of(container, IMAGES)
    check_environment(container, image, ["REDIS_URL", "APP_PATH", "MY_LD_NOTE"])
    with pytest.raises(ImageRefusedError, match=name):
        check_environment(container, image, ["REDIS_URL", name])


@pytest.mark.parametrize(
    "path",
    ["/", "/usr/bin", "/etc", "/etc/x", "/etc/ld.so.preload", "/home/new", "/usr/new", "/new/../etc/x", "/proc/1"],
)
def test_mounts_among_programs_are_refused(path: str) -> None:
    container = {"name": "c", "image": "sandbox.test/sleep", "volumeMounts": [{"name": "v", "mountPath": path}]}
    image, _ = command_of(container, IMAGES)
    with pytest.raises(ImageRefusedError, match="mounts nothing at"):
        check_mounts(container, image)


@pytest.mark.parametrize(
    "path",
    [
        "/bindings/redis",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/srv/x",
        "/run/x",
        "/tmp",  # noqa: S108
        "/etc/secure-redis",
    ],
)
def test_mounts_elsewhere_are_not(path: str) -> None:
    container = {"name": "c", "image": "sandbox.test/sleep", "volumeMounts": [{"name": "v", "mountPath": path}]}
    check_mounts(container, command_of(container, IMAGES)[0])


def test_references_are_expanded_as_kubernetes_does() -> None:
    assert expanded("$(A)-$(B)-$$(A)-$A-$$$(A)", {"A": "1"}) == "1-$(B)-$(A)-$A-$1"


def test_fields_of_the_pod() -> None:
    assert field_value(POD, "metadata.labels", ADDRESSES) == 'app="a\\"b"\ntier="x"\n'
    assert field_value(POD, "metadata.labels['tier']", ADDRESSES) == "x"
    assert field_value(POD, "spec.serviceAccountName", ADDRESSES) == "default"
    with pytest.raises(UnsupportedError):
        field_value(POD, "status.phase", ADDRESSES)


def test_a_missing_key_is_reported_unless_optional() -> None:
    reference = {"name": "keys", "key": "nope"}
    env = [{"name": "X", "valueFrom": {"secretKeyRef": reference}}]
    with pytest.raises(MissingError, match="couldn't find key nope in Secret keys"):
        environment_of(POD, {"env": env}, lookup, ADDRESSES)
    env = [{"name": "X", "valueFrom": {"secretKeyRef": {**reference, "optional": True}}}]
    assert environment_of(POD, {"env": env}, lookup, ADDRESSES) == {}


def test_a_projected_volume_gathers_its_sources() -> None:
    sources = [
        {"secret": {"name": "keys", "items": [{"key": "uri", "path": "redis/uri", "mode": 0o400}]}},
        {"configMap": {"name": "settings"}},
        {"serviceAccountToken": {"path": "token", "audience": "a"}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    volume = {"name": "v", "projected": {"sources": sources}}
    pod = {**POD, "spec": {"volumes": [volume]}}
    assert token_requests(pod) == {TokenRequest("a", 3600)}
    assert files_of(volume, content(a="jwt")) == {
        "redis/uri": (b"rediss://x", 0o400),
        "mode": (b"calm", 0o644),
        "raw": (b"\x00\x01", 0o644),
        "token": (b"jwt", 0o600),
        "name": (b"p", 0o644),
    }
    with pytest.raises(MissingError, match="token"):
        files_of(volume, content())


def test_a_volume_changes_at_one_moment_and_only_if_it_changed(tmp_path: Path) -> None:
    assert write(tmp_path, {"a": (b"1", 0o644), "d/b": (b"2", 0o600)})
    link = (tmp_path / "..data").readlink()
    assert (tmp_path / "a").readlink() == Path("..data/a")
    assert not write(tmp_path, {"a": (b"1", 0o644), "d/b": (b"2", 0o600)})
    assert (tmp_path / "..data").readlink() == link
    assert write(tmp_path, {"d/b": (b"3", 0o600), "c": (b"4", 0o644)})
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("..")} == {"d", "c"}
    assert (tmp_path / "d/b").read_bytes() == b"3"
    assert not (tmp_path / link).exists()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..data"])
def test_a_file_cannot_leave_its_volume(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsupportedError):
        write(tmp_path / "v", {path: (b"1", 0o644)})
    assert not (tmp_path / "x").exists()


BLOCKING = "socket.create_connection(where, 5)"
EVENT_LOOP = "asyncio.run(asyncio.open_connection(*where))"
TLS = "ssl._create_unverified_context().wrap_socket(socket.socket(), do_handshake_on_connect=False).connect(where)"


@pytest.mark.parametrize("connect", [BLOCKING, EVENT_LOOP, TLS])
def test_a_pods_python_connects_from_the_pods_address(connect: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"import asyncio, socket, ssl; where = {server.getsockname()!r}; {connect}"
        environment = {**IMAGES["sandbox.test/redis-client"].env, "SANDBOX_POD_IP": "127.70.0.2"}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        connection, (address, _) = server.accept()
        connection.close()
        assert address == "127.70.0.2"


def test_a_pods_python_listens_at_the_pods_address_only() -> None:
    program = "import socket; print(socket.create_server(('0.0.0.0', 0)).getsockname()[0])"
    environment = {**IMAGES["sandbox.test/redis-client"].env, "SANDBOX_POD_IP": "127.70.0.2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "127.70.0.2\n"
