"""Templates of entries: which are accepted, and what they become."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.domain.assess.connection.forms import CA_TEMPLATE, ENTRIES, POLICY_TEMPLATE, SERVER_NAME_TEMPLATE
from secure_redis.domain.assess.connection.templates import ACCEPTED, FIELDS, LONGEST_TEMPLATE, accepted, render
from tests.builders.connection_templates import BAD, GOOD, URI
from tests.builders.world import PRIMARY, built, resource, text

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("template", GOOD)
def test_what_connects_with_tls_is_accepted(template: str) -> None:
    assert accepted(template)


@pytest.mark.parametrize("template", BAD)
def test_what_may_connect_without_tls_is_refused_and_not_published(template: str) -> None:
    assert not accepted(template)
    data = built(resource({"connection": {"template": {"OWN": template, "GOOD": "{password}"}}}))
    assert "OWN" not in data.data
    assert text(data, "GOOD") == PRIMARY


SEPARATORS = re.compile(r"([?&,;/@:=#% \[\]])")
# The pieces of a changed form: those of the forms that are accepted, and of those that are not.
PIECES = sorted({piece for one in (*GOOD, *BAD) for piece in SEPARATORS.split(one)})
# A name and a number are free, and so is what happens where the first connection fails.
FREE = re.compile(
    r"\b(name|client_name|prefix|channelPrefix)=[\w.-]+|\b(?!tls|ssl|verify)\w+=[0-9]+(ms|s|m)?|abortConnect=false",
    re.I,
)


@pytest.mark.parametrize("good", GOOD)
def test_nothing_else_that_is_accepted_names_a_weaker_connection(good: str) -> None:
    """Each piece of a form that is accepted is replaced by each other one, and followed by it."""
    own = SEPARATORS.split(good)
    changed = {
        "".join([*own[:at], *new, *own[at + 1 :]])
        for at, piece in enumerate(own)
        for other in PIECES
        for new in ([other], [piece, other])
    }
    found = [one for one in changed if accepted(one)]
    assert good in found
    for one in found:
        assert re.match(r"(rediss|valkeys|tls)://|[{]host[}]:[{]port[}],|[ ,;:|/@]*[{]", one)
        assert not re.search(r"redis://|none|false|insecure|6379|=0|protocols=tls(?!1[23])", FREE.sub("", one), re.I)


def test_the_operators_own_entries_have_accepted_shapes() -> None:
    words = {"redis", "azure", "true", CA_TEMPLATE, POLICY_TEMPLATE, SERVER_NAME_TEMPLATE}
    own = [template for template in ENTRIES.values() if template not in words and "abortConnect" not in template]
    assert all(accepted(template) for template in own)
    assert len(own) > 8
    assert accepted(ENTRIES["stackexchange"])


@given(password=st.text([chr(code) for code in range(33, 127) if chr(code) != ","], min_size=1, max_size=80))
def test_fields_are_encoded_in_a_uri_and_nowhere_else(password: str) -> None:
    fields = {"host": "h.test", "port": "6380", "username": "a/b", "password": password, "database": "3"}
    uri = urlsplit(render(URI, fields))
    assert (uri.scheme, uri.hostname, uri.port, uri.path) == ("rediss", "h.test", 6380, "/3")
    assert (unquote(uri.username or ""), unquote(uri.password or "")) == ("a/b", password)
    assert render("{host}:{port},password={password},ssl=true", fields) == f"h.test:6380,password={password},ssl=true"
    assert render("{username}:{password}", fields) == f"a/b:{password}"


def test_a_key_that_looks_like_a_field_is_not_replaced() -> None:
    fields = {"host": "h.test", "port": "6380", "username": "default", "password": "{host}", "database": "0"}
    assert render("{password}@{host}", fields) == "{host}@h.test"


def test_a_template_replaces_no_entry_and_no_key() -> None:
    declared = {"uri": "{password}", "ssl": "{password}", "a/b": "{password}", "..x": "{password}", "BOTH": "{host}"}
    data = built(resource({"connection": {"template": declared, "keys": {"BOTH": "password"}}}))
    assert set(data.data) == set(built().data) | {"BOTH"}
    assert text(data, "BOTH") == PRIMARY


def test_the_schema_has_the_same_expression_and_fields() -> None:
    crd = yaml.safe_load((ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    template = schema["connection"]["properties"]["template"]
    (rule,) = template["additionalProperties"]["x-kubernetes-validations"]
    assert rule["rule"] == f"self.matches('{ACCEPTED}')"
    assert template["additionalProperties"]["maxLength"] == LONGEST_TEMPLATE
    for field in FIELDS:
        assert f"{{{field}}}" in rule["message"]
        assert f"{{{field}}}" in template["description"]
