"""A value at hand is recognised in every spelling, and in no text of another resource."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.telemetry import live_values
from secure_redis.telemetry.external_text import clean
from secure_redis.telemetry.live_values import MASK
from secure_redis.telemetry.logs import RedactionFilter
from secure_redis.telemetry.redaction import redact

# Of the length and the characters of Azure's keys, with the signs that servers escape; without a known shape.
KEY = "q7p3nU+Yv5Wq/X6hTg2m8BfRk+zCaLs0x9cq/p3nUuYv"
RAW = KEY.encode()


def _full(text: str, form: str) -> str:
    return "".join(form.format(byte) for byte in text.encode())


SPELLINGS: dict[str, str] = {
    "raw": KEY,
    "lower case": KEY.lower(),
    "upper case": KEY.upper(),
    "percent": quote(KEY, safe=""),
    "percent in lower case": quote(KEY, safe="").lower(),
    "percent of every character": _full(KEY, "%{:02X}"),
    "percent of every character in lower case": _full(KEY, "%{:02x}"),
    "percent twice": quote(quote(KEY, safe=""), safe=""),
    "percent of every character, twice": _full(_full(KEY, "%{:02X}"), "%{:02X}"),
    "percent of JavaScript": _full(KEY, "%u{:04x}"),
    "hex": RAW.hex(),
    "hex in upper case": RAW.hex().upper(),
    "hex with colons": RAW.hex(":"),
    "hex with blanks": RAW.hex(" "),
    "hex with 0x": _full(KEY, "0x{:02x},"),
    "hex with a backslash": _full(KEY, "\\x{:02x}"),
    "decimals": ", ".join(str(byte) for byte in RAW),
    "JSON": KEY.replace("+", "\\u002b").replace("/", "\\/"),
    "JSON of every character": _full(KEY, "\\u{:04X}"),
    "JSON of every character, percent-encoded twice": _full(_full(_full(KEY, "\\u{:04x}"), "%{:02x}"), "%{:02x}"),
    "JSON in JSON": json.dumps(json.dumps(KEY.replace("+", "\\u002b"))),
    "HTML by number": KEY.replace("+", "&#43;").replace("/", "&#x2F;"),
    "HTML by name": KEY.replace("+", "&plus;").replace("/", "&sol;"),
    "HTML of every character": _full(KEY, "&#{};"),
    "HTML of every character in hex": _full(KEY, "&#x{:x};"),
    "HTML of every second character": "".join(f"&#{ord(one)};" if at % 2 else one for at, one in enumerate(KEY)),
    "lines in JSON": "\\n".join(KEY[at : at + 8] for at in range(0, len(KEY), 8)),
    "a path": f"/secrets/{KEY}/versions",
    "a path with a segment for every four characters": "/".join(KEY[at : at + 4] for at in range(0, len(KEY), 4)),
    "lines": "\n".join(KEY[at : at + 16] for at in range(0, len(KEY), 16)),
    "a query": f"?key={quote(KEY, safe='')}&y=1",
    "the bytes of the key in hex": base64.b64decode(KEY).hex(),
    "base64 twice": base64.b64encode(base64.b64encode(RAW)).decode(),
    "a basic header": base64.b64encode(f"user:{KEY}".encode()).decode(),
    **{
        f"{name} with {before} bytes before it": encode(b"u" * before + RAW + b"tail").decode()
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode))
        for before in range(4)
    },
    **{f"base64 without padding, {n} bytes": base64.b64encode(RAW[:n]).decode().rstrip("=") for n in (30, 31, 32)},
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    token = live_values._resource.set("shop/orders")
    live_values.remember(KEY)
    yield
    live_values._resource.reset(token)
    live_values._registry.clear()
    live_values._indexes.clear()


def _shows(text: str, least: int = 14) -> bool:
    """Whether a stretch of the key is left in any spelling, looked for without the code under test."""
    decoded = text.lower()
    return any(KEY.lower()[at : at + least] in decoded for at in range(len(KEY) - least))


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("way", [redact, clean, live_values.mask], ids=["redact", "clean", "mask"])
def test_every_spelling_is_taken_out(name: str, way: Callable[[str], str]) -> None:
    spelled = SPELLINGS[name]
    for around in ("{}", "before {} after", 'the value "{}" is wrong', "code=X,value={},z"):
        found = way(around.format(spelled))
        assert MASK in found
        assert not _shows(found)
        # Nothing that is longer than what the comparison leaves at the ends.
        rest = found.replace(around.partition("{")[0], "").replace(MASK, "")
        assert len(rest) <= len(around) + max(16, len(spelled) // 6), found


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_same_text_of_another_resource_stays(name: str) -> None:
    live_values.enter("mail/orders")
    assert live_values.mask(SPELLINGS[name]) == SPELLINGS[name]


def test_nothing_is_searched_outside_a_pass() -> None:
    live_values._resource.set(None)
    live_values.remember("another value of some length")
    assert live_values.mask(KEY) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "the cache orders has no private endpoint; set spec.network.privateEndpoint",
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders",
        "no route to orders.redis.cache.windows.net:6380",
        "100 % of the quota &c. \\n \\u00e4 %zz 0xgg &unknown; &#9999999;",
        "0" * 5000,
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    live_values.remember("0" * 44)
    assert live_values.mask(text) == text


def test_of_a_connection_string_only_the_secret_part_is_taken_out() -> None:
    live_values.remember(
        f"DefaultEndpointsProtocol=https;AccountName=ordersaccount1;AccountKey={KEY};EndpointSuffix=x.y"
    )
    live_values.remember("orders.redis.cache.windows.net:6380,password=hunter2hunter2,ssl=True")
    live_values.remember("rediss://:correct-horse-battery@orders.redis.cache.windows.net:6380")
    text = "ordersaccount1 and orders.redis.cache.windows.net:6380 with {} {} {}"
    secrets = (quote(KEY, safe=""), "hunter2hunter2", "correct%2Dhorse%2Dbattery")
    assert live_values.mask(text.format(*secrets)).startswith(text.partition("{")[0] + MASK)
    for secret in secrets:
        assert secret not in live_values.mask(text.format(*secrets))


def test_values_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(live_values, "_clock", lambda: now)
    live_values.remember("another-value-of-some-length")
    assert MASK in live_values.mask("another-value-of-some-length")
    now = 3 * 3600.0
    assert live_values.mask("another-value-of-some-length") == "another-value-of-some-length"


def test_what_is_kept_is_bounded() -> None:
    for number in range(100):
        live_values.remember(f"value number {number} of this resource")
    assert len(live_values._registry["shop/orders"].until) == 32
    for number in range(live_values._MOST_RESOURCES + 10):
        live_values.enter(f"shop/{number}")
        live_values.remember(KEY)
    assert len(live_values._registry) == live_values._MOST_RESOURCES
    for number in range(100, 300):
        live_values.enter(f"shop/{number}")
        live_values.mask("text")
    assert 1 < len(live_values._indexes) < 200
    assert sum(len(index.grams) for index in live_values._indexes.values()) <= live_values._MOST_GRAMS


def test_the_index_of_a_resource_that_is_in_use_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    spellings = live_values._spellings

    def counted(value: str) -> Iterator[str]:
        made.append(value)
        return spellings(value)

    monkeypatch.setattr(live_values, "_spellings", counted)
    live_values.enter("shop/used")
    live_values.remember(KEY)
    live_values.mask("text")
    live_values.remember(KEY[::-1])
    for number in range(200):
        live_values.enter(f"shop/{number}")
        live_values.remember(f"{number:03}{KEY}")
        live_values.mask("text")
        live_values.enter("shop/used")
        assert MASK in live_values.mask(f"<{KEY[::-1]}>")
    assert len(live_values._indexes) < 200
    assert [made.count(KEY), made.count(KEY[::-1])] == [1, 1]


def test_one_large_index_is_kept_alone() -> None:
    live_values.enter("shop/large")
    for number in range(32):
        live_values.remember(f"{number}." + "".join(chr(97 + (number * at * at) % 26) for at in range(1, 8000)))
    assert MASK not in live_values.mask("another text")
    assert list(live_values._indexes) == ["shop/large"]
    live_values.remember("q7p3nU+Yv5Wq/X6hTg2m8BfRk")
    assert live_values.mask("<q7p3nU+Yv5Wq/X6hTg2m8BfRk>") == f"<{MASK}>"


def test_exactly_the_part_that_is_there_is_taken_out() -> None:
    whole, short = "Hq4Zt1Wm9Ev6Rb2Yk8Nx5Uj3Pd7Gs0Lc4Ta1Fi6Kw2M", "aB3dE5fG7hJ9"
    live_values.remember(whole)
    live_values.remember(short)
    for start in range(len(whole) - 15):
        assert live_values.mask(f"<{whole[start : start + 16]}>") == f"<{MASK}>"
    assert live_values.mask(f"<{short[1:]}>") == f"<{MASK}>", "its last letters are compared too"
    assert live_values.mask(f"<{whole}==>") == f"<{MASK}>", "with its padding"
    assert live_values.mask(f"<{whole}+{short}/{whole}>") == f"<{MASK}>", "with the signs between"


def test_what_is_read_of_a_text_and_made_of_a_value_is_bounded() -> None:
    assert len(live_values.mask("ab " * 10_000)) == 20_000
    live_values.remember("".join(f"{number:x}" for number in range(8192))[:8192])
    assert len(live_values._index("shop/orders")) < 5_000, "of a token, most spellings are not looked for"


def test_a_value_that_is_encoded_more_than_four_times_is_not_looked_for() -> None:
    """Else a text that is encoded thousands of times costs thousands of rounds. The fourth leaves the value's hex."""
    live_values.remember(KEY)
    three, five = ("".join(f"%{'25' * more}{ord(one):02x}" for one in KEY) for more in (2, 4))
    assert live_values.mask(three) == MASK
    assert live_values.mask(five) == five


def test_neither_a_short_word_nor_a_document_is_a_value() -> None:
    live_values._registry.clear()
    for value in ("1234567", "x" * 8193):
        live_values.remember(value)
    assert not live_values._registry
    for value in ("12345678", "x" * 8192):
        live_values.remember(value)
    assert len(live_values._registry["shop/orders"].until) == 2


def test_no_value_is_in_a_repr() -> None:
    assert KEY not in repr(live_values._registry)


def test_a_traceback_in_a_log_is_searched() -> None:
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed: %s", (quote(KEY, safe=""),), None)
    try:
        raise ValueError(base64.b64encode(RAW).decode())  # noqa: TRY301
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    record.body = {"nested": [RAW.hex()]}
    RedactionFilter().filter(record)
    shown = f"{record.getMessage()} {record.exc_text} {record.__dict__['body']}"
    assert shown.count(MASK) == 3
    assert "ValueError" in shown


@given(st.binary(min_size=32, max_size=32), st.text(max_size=40))
def test_any_key_within_any_text(raw: bytes, around: str) -> None:
    key = base64.b64encode(raw).decode()
    if len(set(key.lower())) < 12:
        return
    live_values.remember(key)
    for spelled in (key, quote(key, safe=""), raw.hex(), base64.b64encode(key.encode()).decode()):
        found = live_values.mask(f"{around} {spelled} {around}")
        assert spelled not in found


@given(st.text(max_size=300))
def test_any_text_is_searched_without_an_exception(text: str) -> None:
    live_values.remember(text)
    live_values.mask(text)
    clean(text)
    redact(text)


@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_the_short_way_to_the_letters_of_a_text_finds_the_same_ones(text: str) -> None:
    assert live_values._plain(text) == live_values._letters(text)[0]
