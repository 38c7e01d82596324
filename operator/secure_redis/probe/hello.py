"""A ClientHello of one TLS version, and the start of the server's answer: bytes only, no connection.

Written here because a current OpenSSL will not speak the versions that must be refused. Layouts: RFC 2246 (TLS 1.0),
RFC 4346 (1.1), RFC 5246 (1.2), each §6.2.1 records, §7.2 alerts, §7.4.1 hellos; RFC 6066 §3 server_name; RFC 8422
curves; RFC 5746 §3.3 renegotiation. Cipher suites: IANA's registry.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

Version = tuple[int, int]  # as on the wire

TLS_1_0: Final[Version] = (3, 1)
TLS_1_1: Final[Version] = (3, 2)
TLS_1_2: Final[Version] = (3, 3)

RANDOM_BYTES: Final = 32
# The start of an answer that matters: three warnings (7 bytes each) and the start of a ServerHello (11 bytes).
ANSWER_BYTES: Final = 32

_ALERT: Final = 21
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2
_WARNING: Final = 1
_LARGEST_RECORD: Final = 1 << 14

# All that a server of TLS 1.0 or 1.1 may still know, so that none refuses because no suite is common. Without
# TLS_FALLBACK_SCSV (RFC 7507): a server that accepts the version would refuse because it could do better.
_CBC: Final = (
    0xC00A, 0xC014, 0xC009, 0xC013, 0xC008, 0xC012, 0xC007, 0xC011,  # ECDHE: AES-256, AES-128, 3DES, RC4
    0x0039, 0x0033, 0x0016, 0x0088, 0x0045,  # DHE-RSA: AES-256, AES-128, 3DES, Camellia
    0x0035, 0x002F, 0x000A, 0x0084, 0x0041, 0x0005, 0x0004,  # RSA: AES-256, AES-128, 3DES, Camellia, RC4
)  # fmt: skip
_AEAD_AND_SHA2: Final = (
    0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0x009F, 0x009E, 0xCCAA, 0x009D, 0x009C,  # GCM, ChaCha20
    0xC024, 0xC028, 0xC023, 0xC027, 0x006B, 0x0067, 0x003D, 0x003C,  # CBC with SHA-2
)  # fmt: skip
_RENEGOTIATION_SCSV: Final = 0x00FF
_CURVES: Final = (29, 23, 24, 25)  # x25519, P-256, P-384, P-521
_SIGNATURES: Final = (
    0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
)  # fmt: skip


class AnswerKind(Enum):
    """The kind of answer that a server gave."""

    HELLO = "a ServerHello"
    ALERT = "a fatal alert"
    CUT = "nothing, and closed or reset the connection"
    SILENT = "nothing in time"
    OTHER = "something that is not TLS"


@dataclass(frozen=True, slots=True)
class Answer:
    """The start of a server's answer. `version`: of a ServerHello. `alert`: of a fatal alert (RFC 5246 §7.2)."""

    kind: AnswerKind
    version: Version | None = None
    alert: int | None = None


CUT: Final = Answer(AnswerKind.CUT)
SILENT: Final = Answer(AnswerKind.SILENT)
OTHER: Final = Answer(AnswerKind.OTHER)


def client_hello(version: Version, server_name: str | None, random: bytes) -> bytes:
    """Build the record with a ClientHello that offers `version` and what is older.

    `server_name`: an ASCII DNS name; None for an address. `random`: 32 bytes. Raises ValueError for other lengths.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"the random of a ClientHello has {RANDOM_BYTES} bytes")
    newest = version >= TLS_1_2
    suites = (*(_AEAD_AND_SHA2 if newest else ()), *_CBC, _RENEGOTIATION_SCSV)
    extensions = _extension(10, _vector16(_shorts(_CURVES)))
    extensions += _extension(11, b"\x01\x00")  # points: uncompressed
    extensions += _extension(23, b"")  # extended master secret, RFC 7627
    if newest:
        extensions += _extension(13, _vector16(_shorts(_SIGNATURES)))
    if server_name is not None:
        name = b"\x00" + _vector16(server_name.encode("ascii"))
        extensions = _extension(0, _vector16(name)) + extensions
    body = bytes(version) + random + b"\x00"  # no session
    body += _vector16(_shorts(suites)) + b"\x01\x00" + _vector16(extensions)  # no compression
    message = bytes((_CLIENT_HELLO,)) + len(body).to_bytes(3, "big") + body
    return struct.pack(">BBBH", _HANDSHAKE, *TLS_1_0, len(message)) + message


def read_answer(data: bytes) -> Answer | None:
    """Read the start of a server's answer; None: more bytes are needed. `ANSWER_BYTES` always suffice.

    Warnings before the ServerHello are skipped (RFC 6066 §3 allows one about the name).
    """
    position = 0
    while len(data) >= position + 5:
        content_type, major, minor, length = struct.unpack_from(">BBBH", data, position)
        if content_type not in (_ALERT, _HANDSHAKE) or major != 3 or minor > 4 or not 0 < length <= _LARGEST_RECORD:
            return OTHER
        position += 5
        if content_type == _HANDSHAKE:
            return _hello(data[position : position + 6], length)
        if length != 2:
            return OTHER
        if len(data) < position + 2:
            return None
        level, description = data[position], data[position + 1]
        if description == 0:  # close_notify, whatever its level
            return CUT
        if level != _WARNING:
            return Answer(AnswerKind.ALERT, alert=description)
        position += 2
    if data and data[0] not in (_ALERT, _HANDSHAKE):
        return OTHER
    return None if len(data) < ANSWER_BYTES else OTHER


def _hello(start: bytes, length: int) -> Answer | None:
    # Type, three bytes of length, version. A ServerHello in smaller pieces is allowed, and no server sends one.
    if length < 6 or start[:1] not in (b"", bytes((_SERVER_HELLO,))):
        return OTHER
    if len(start) < 6:
        return None
    return Answer(AnswerKind.HELLO, version=(start[4], start[5])) if start[4] == 3 else OTHER


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack(">H", number) + _vector16(body)


def _vector16(body: bytes) -> bytes:
    return struct.pack(">H", len(body)) + body


def _shorts(numbers: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(numbers)}H", *numbers)
