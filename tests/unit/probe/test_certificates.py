"""Names and facts of certificates; what OpenSSL says of the same certificate is the measure of the name check."""

import datetime
import ssl

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from secure_redis.domain.observe.endpoint import AddressScope, CertificateFacts, scope_of
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe.certificates import is_for, is_host, read

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(names: list[x509.GeneralName] | None, issuer: list[x509.NameAttribute[str]]) -> bytes:
    name = x509.Name(issuer)
    builder = x509.CertificateBuilder(name, x509.Name([]), KEY.public_key(), 1, START, END)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def common_name(text: str) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(NameOID.COMMON_NAME, text)]


def facts(der: bytes) -> CertificateFacts:
    outcome = read(der)
    assert not isinstance(outcome, Unknown)
    return outcome[0]


def openssl_accepts(patterns: list[str], host: str) -> bool:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*patterns).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=host)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (one, other, one, other):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            if error.verify_code not in (62, 64):  # another name, another address
                raise
            return False
    return True


@pytest.mark.parametrize(
    ("pattern", "host", "same"),
    [
        ("orders.redis.cache.windows.net", "orders.redis.cache.windows.net", True),
        ("*.redis.cache.windows.net", "orders.redis.cache.windows.net", True),
        ("*.redis.cache.windows.net", "ORDERS.redis.Cache.windows.net", True),
        ("*.cache.windows.net", "orders.redis.cache.windows.net", False),
        ("*.redis.cache.windows.net", "redis.cache.windows.net", False),
        ("*.redis.cache.windows.net", "a.orders.redis.cache.windows.net", False),
        ("other.redis.cache.windows.net", "orders.redis.cache.windows.net", False),
        ("orders.redis.cache.windows.net.evil.example", "orders.redis.cache.windows.net", False),
        ("redis.cache.windows.net", "orders.redis.cache.windows.net", False),
        ("*.net", "windows.net", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("::1", "::1", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("localhost", "127.0.0.1", False),
        ("localhost", "localhost", True),
    ],
)
def test_the_name_check_agrees_with_openssl(pattern: str, host: str, same: bool) -> None:
    assert openssl_accepts([pattern], host) is same
    authority = trustme.CA()
    pem = authority.issue_cert(pattern).cert_chain_pems[0].bytes()
    outcome = read(ssl.PEM_cert_to_DER_cert(pem.decode()))
    assert not isinstance(outcome, Unknown)
    assert is_for(outcome[1], host) is same


def test_facts() -> None:
    names: list[x509.GeneralName] = [x509.DNSName("*.redis.example"), x509.DNSName("redis.example")]
    assert facts(certificate(names, common_name("Some CA"))) == CertificateFacts(
        START, END, "Some CA", ("*.redis.example", "redis.example")
    )


def test_a_common_name_alone_never_matches() -> None:
    outcome = read(certificate(None, common_name("orders.example")))
    assert not isinstance(outcome, Unknown)
    assert not is_for(outcome[1], "orders.example")


def test_an_invalid_name_is_not_reported_and_does_not_match() -> None:
    hostile = ["orders.example\x00.evil.example", "a\r\nb", "<script>", "a*.example", "x" * 300, "*", "", "-"]
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in hostile]
    outcome = read(certificate(names, common_name("evil\n\x1b[2J" + "long" * 10)))
    assert not isinstance(outcome, Unknown)
    assert outcome[1] == ()
    assert outcome[0].issuer.startswith("evil[2Jlong")
    assert not is_for(outcome[1], "orders.example")


def test_many_names_are_reported_in_part_and_matched_in_full() -> None:
    names: list[x509.GeneralName] = [x509.DNSName(f"n{number}.example") for number in range(500)]
    outcome = read(certificate(names, common_name("CA")))
    assert not isinstance(outcome, Unknown)
    assert len(outcome[0].names) == 20
    assert is_for(outcome[1], "n499.example")


@pytest.mark.parametrize("der", [b"", b"garbage", certificate(None, common_name("x"))[:-9], b"\x30\x82\xff\xff"])
def test_an_invalid_certificate_is_unknown_and_not_shown(der: bytes) -> None:
    outcome = read(der)
    assert isinstance(outcome, Unknown)
    assert outcome.message == "the server's certificate cannot be read"


@pytest.mark.parametrize("host", ["orders.redis.cache.windows.net", "localhost", "a_b.example", "127.0.0.1", "::1"])
def test_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "*.example", "a b", "a/b", "a\n", "b\u00fccher.example", "x" * 254, "x" * 64, "-a"]
)
def test_an_invalid_host(host: str) -> None:
    assert not is_host(host)


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("10.1.2.3", AddressScope.PRIVATE),
        ("172.16.0.1", AddressScope.PRIVATE),
        ("172.31.255.255", AddressScope.PRIVATE),
        ("172.32.0.1", AddressScope.PUBLIC),
        ("192.168.1.1", AddressScope.PRIVATE),
        ("20.50.1.1", AddressScope.PUBLIC),
        ("127.0.0.1", AddressScope.LOOPBACK),
        ("::1", AddressScope.LOOPBACK),
        ("fd12::1", AddressScope.PRIVATE),
        ("fc00::1", AddressScope.PRIVATE),
        ("fe80::1", AddressScope.OTHER),
        ("2603:1030::1", AddressScope.PUBLIC),
        ("::ffff:10.0.0.1", AddressScope.PRIVATE),
        ("::ffff:20.50.1.1", AddressScope.PUBLIC),
        ("64:ff9b::10.0.0.1", AddressScope.PRIVATE),
        ("64:ff9b::20.50.1.1", AddressScope.PUBLIC),
        ("100.64.0.1", AddressScope.SHARED),
        ("169.254.169.254", AddressScope.OTHER),
        ("0.0.0.0", AddressScope.OTHER),
        ("224.0.0.1", AddressScope.OTHER),
        ("203.0.113.10", AddressScope.OTHER),
    ],
)
def test_scopes(address: str, scope: AddressScope) -> None:
    assert scope_of(address) is scope
