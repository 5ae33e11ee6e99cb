"""What every section of the configuration has in common.

A section is a frozen pydantic model: unknown keys, wrong types and impossible values are refused,
every field has a description, and the JSON schema and ``config/README.md`` are generated from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


def _number(value: Any) -> Any:
    """YAML 1.1 reads ``5e-6`` as a string; people write learning rates that way."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _whole(value: Any) -> Any:
    """Snakemake hands numbers inside of a list over as text: ``--config 'seeds=[0]'``."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _switch(value: Any) -> Any:
    """So it does with ``--config download=false``."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""Names of entries: they become parts of paths."""

Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
"""A finite float that may be written ``5e-6``."""

Whole = Annotated[int, BeforeValidator(_whole)]
"""An int that may come as text."""


Switch = Annotated[bool, BeforeValidator(_switch)]
"""A bool that may come as text."""


def _shards(value: Any) -> int | Literal["auto"]:
    number = _whole(value)
    if number == "auto":
        return "auto"
    if isinstance(number, int) and not isinstance(number, bool) and number >= 1:
        return number
    raise ValueError("a number of jobs from 1 on, or `auto`")


if TYPE_CHECKING:
    Shards = int | Literal["auto"]
else:
    # One check instead of one for each of the two, which would both be reported.
    _SCHEMA = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}
    Shards = Annotated[Any, BeforeValidator(_shards), WithJsonSchema(_SCHEMA)]
"""A number of jobs, or ``auto`` where the amount of work decides."""


class Section(BaseModel):
    """Base of all sections: frozen, strict in its types, closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BoundedSchema(GenerateJsonSchema):
    """JSON schemas with the bounds of :data:`Number` and :data:`Whole` by JSON Schema's names.

    pydantic leaves its own (``ge``) where a validator comes before the type; validators and editors
    pass over words that they don't know.
    """

    _NAMES: ClassVar[dict[str, str]] = {
        "ge": "minimum",
        "gt": "exclusiveMinimum",
        "le": "maximum",
        "lt": "exclusiveMaximum",
    }

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """The schema of one type."""
        found = super().generate_inner(schema)
        return {self._NAMES.get(key, key): value for key, value in found.items()}
