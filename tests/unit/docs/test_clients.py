"""docs/clients.md and the matrix of `make clients` name the same clients, entries and traps."""

import re
from dataclasses import dataclass

from secure_redis.api.spec.spec import Format
from secure_redis.domain.assess.connection.forms import ENTRIES, FORMATS
from tests.clients.matrix import CLIENTS, PARTS, TRAPS
from tests.unit.docs.test_written import ROOT

PAGE = ROOT / "docs/clients.md"
_HEADING = "| client | entries | note | run |"


@dataclass(frozen=True)
class Row:
    client: str
    entries: str
    note: str
    run: str


def rows() -> list[Row]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "| --- |" not in line]
    return [Row(*row) for row in cells if row[0] != "client"]


def test_the_table_is_read_whole() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(_HEADING) == len(re.findall(r"^\| client ", text, re.MULTILINE)) >= 5
    assert len({row.client for row in rows()}) == len(rows()) >= 30


def test_what_the_table_says_is_run_is_run_and_the_other_way_round() -> None:
    assert {row.run for row in rows() if not row.run.startswith("no: ")} == {"yes"}
    assert sorted(row.client for row in rows() if row.run == "yes") == sorted(client.name for client in CLIENTS)


def test_the_matrix_loads_the_entries_of_the_table() -> None:
    written = {row.client: row.entries for row in rows()}
    for client in CLIENTS:
        connection = client.spec.get("connection", {})
        entries = written[client.name]
        if client.entries == PARTS:
            assert entries == "parts"
        elif not client.entries:
            assert entries.startswith("the mounted directory")
        elif connection.get("template"):
            assert entries.startswith("a template")
        else:
            assert set(re.findall(r"`([\w.]+)`", entries)) - set(Format) == set(client.entries)
        needed = set(connection.get("formats", [])) - {Format.STANDARD}
        assert {Format(name) for name in re.findall(r"format `(\w+)`", entries)} == needed


def test_the_table_names_entries_and_formats_that_exist() -> None:
    for row in rows():
        named = [name for name in re.findall(r"`([\w.]+)`", row.entries) if name not in set(Format)]
        assert set(named) <= {*ENTRIES, "QUEUE_BULL_REDIS_TLS"}, row
        for name in re.findall(r"format `(\w+)`", row.entries):
            assert any(entry in FORMATS[Format(name)] for entry in named) or not named, row


def test_every_warning_with_a_mark_is_a_trap_of_the_matrix() -> None:
    assert sorted(row.client for row in rows() if "†" in row.note) == sorted(trap.client.name for trap in TRAPS)


def test_a_client_that_verifies_no_host_name_says_so() -> None:
    for client in CLIENTS:
        if not client.checks_host:
            base = client.name.split(",")[0]
            assert any("not the host name" in row.note for row in rows() if row.client == base), client.name
