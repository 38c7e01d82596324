"""The base of every part of the configuration: camelCase names, strictness, and the smallest types."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_WORDS = (("Ca", "CA"), ("Id", "ID"), ("Sku", "SKU"), ("Tls", "TLS"))


def _alias(field: str) -> str:
    name = to_camel(field)
    for word, capital in _WORDS:
        if name.endswith(word):
            name = name.removesuffix(word) + capital
    return name


class Part(BaseModel):
    """A mapping: frozen, strict, every name known."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        populate_by_name=False,
        alias_generator=_alias,
        hide_input_in_errors=True,
    )


Text = Annotated[str, Field(min_length=1)]
# A YAML list becomes a tuple: frozen all the way down, which strict mode would refuse.
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
Seconds = Annotated[float, Field(gt=0, le=86400, strict=False)]
