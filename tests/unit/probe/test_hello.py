"""The hand-made ClientHello against OpenSSL's server side, and the reading of answers against anything."""

import ssl
from collections.abc import Callable

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.probe.hello import (
    ANSWER_BYTES,
    CUT,
    OTHER,
    TLS_1_0,
    TLS_1_1,
    TLS_1_2,
    Answer,
    AnswerKind,
    Version,
    client_hello,
    read_answer,
)

Serve = Callable[[bytes], bytes]
VERSIONS = (TLS_1_0, TLS_1_1, TLS_1_2)
ALERT_70 = bytes.fromhex("15030100020246")
WARNING_112 = bytes.fromhex("15030100020170")
SERVER_HELLO = bytes.fromhex("160301003d020000390301")


class Server:
    """OpenSSL as a server in memory: what it answers to some bytes, and the name it was asked for."""

    def __init__(self, oldest: ssl.TLSVersion, newest: ssl.TLSVersion, name: str = "orders.example") -> None:
        self.name: str | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert(name).configure_cert(self.context)
        self.context.set_ciphers("ALL:@SECLEVEL=0")
        self.context.minimum_version = oldest
        self.context.maximum_version = newest
        self.context.sni_callback = self._asked

    def _asked(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        self.name = name

    def says(self, data: bytes) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        side = self.context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(data)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            pass
        return outgoing.read()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("offered", VERSIONS)
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_a_server_takes_the_newest_that_both_know(offered: Version, newest: ssl.TLSVersion) -> None:
    server = Server(ssl.TLSVersion.TLSv1, newest)
    answer = read_answer(server.says(client_hello(offered, "orders.example", bytes(32))))
    known = divmod(int(newest), 256)
    assert answer == Answer(AnswerKind.HELLO, version=min(offered, known))
    assert server.name == "orders.example"


@pytest.mark.parametrize("offered", [TLS_1_0, TLS_1_1])
def test_a_server_that_requires_a_newer_version_answers_protocol_version(offered: Version) -> None:
    server = Server(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert read_answer(server.says(client_hello(offered, "orders.example", bytes(32)))) == Answer(
        AnswerKind.ALERT, alert=70
    )


def test_a_server_of_1_3_alone_refuses_1_2() -> None:
    server = Server(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
    answer = read_answer(server.says(client_hello(TLS_1_2, "orders.example", bytes(32))))
    assert answer == Answer(AnswerKind.ALERT, alert=70)


@pytest.mark.parametrize("suites", ["ECDHE-RSA-AES128-SHA", "AES256-SHA", "AES128-SHA"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_no_old_server_refuses_for_want_of_a_suite(suites: str) -> None:
    server = Server(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("orders.example", key_type=trustme.KeyType.RSA).configure_cert(server.context)
    server.context.minimum_version = ssl.TLSVersion.TLSv1
    server.context.maximum_version = ssl.TLSVersion.TLSv1
    server.context.set_ciphers(f"{suites}:@SECLEVEL=0")
    assert read_answer(server.says(client_hello(TLS_1_0, "orders.example", bytes(32)))) == Answer(
        AnswerKind.HELLO, version=TLS_1_0
    )


def test_an_address_has_no_server_name() -> None:
    server = Server(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert read_answer(server.says(client_hello(TLS_1_2, None, bytes(32)))) == Answer(AnswerKind.HELLO, version=TLS_1_2)
    assert server.name is None


def test_a_random_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        client_hello(TLS_1_2, None, b"short")


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (ALERT_70, Answer(AnswerKind.ALERT, alert=70)),
        (SERVER_HELLO, Answer(AnswerKind.HELLO, version=TLS_1_0)),
        (WARNING_112 + SERVER_HELLO, Answer(AnswerKind.HELLO, version=TLS_1_0)),
        (WARNING_112 * 3 + SERVER_HELLO, Answer(AnswerKind.HELLO, version=TLS_1_0)),
        (WARNING_112 * 5, OTHER),
        (bytes.fromhex("15030100020100"), CUT),  # close_notify
        (bytes.fromhex("15030100020200"), CUT),
        (bytes.fromhex("1503010020") + bytes(32), OTHER),  # an encrypted alert, before anything was agreed on
        (bytes.fromhex("1603010000"), OTHER),  # an empty record
        (bytes.fromhex("16030140010200"), OTHER),  # longer than any plaintext record
        (bytes.fromhex("160301003d0b0000390301"), OTHER),  # a Certificate first
        (bytes.fromhex("160301003d020000390201"), OTHER),  # SSL 2
        (bytes.fromhex("160501003d"), OTHER),
        (b"HTTP/1.1 400 Bad Request\r\n", OTHER),
        (b"-ERR unknown", OTHER),
        (b"H", OTHER),
        (b"", None),
        (b"\x16\x03", None),
        (SERVER_HELLO[:10], None),
        (ALERT_70[:6], None),
    ],
)
def test_reading_an_answer(data: bytes, answer: Answer | None) -> None:
    assert read_answer(data) == answer


@given(st.binary(max_size=2 * ANSWER_BYTES) | st.binary(max_size=60).map(lambda rest: b"\x16\x03\x01" + rest))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    answer = read_answer(data)
    if answer is None:
        assert len(data) < ANSWER_BYTES
    else:
        assert read_answer(data + b"more") == answer  # and what follows changes nothing
