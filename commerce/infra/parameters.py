"""Bounds of path and query parameters.

Litestar 2.25 reads the bounds of a parameter from annotated_types and from its own markers, not from the msgspec.Meta that our
bounded types (kernel/text.py) carry: `FromPath[Sku]` would neither check nor document the pattern. This makes it do both. And it takes
`null` and numbers for moments, which `Instant` and `moment` do not.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.params import ParameterKwarg
from litestar.typing import FieldDefinition
from msgspec import Meta

from commerce.infra.http import BadInput, Invalid
from commerce.kernel.clock import in_utc

BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "title", "description")

_from_annotation = FieldDefinition.from_annotation.__func__  # type: ignore[attr-defined]


def _bounds(field: FieldDefinition) -> dict[str, Any]:
    kinds = [field, *(inner for inner in field.inner_types if field.is_union and not inner.is_none_type)]
    found: dict[str, Any] = {}
    for kind in kinds if len(kinds) <= 2 else kinds[:1]:
        for meta in kind.metadata:
            if isinstance(meta, Meta):
                found |= {name: value for name in BOUNDS if (value := getattr(meta, name)) is not None}
    if field.is_non_string_sequence:
        found = {
            {"min_length": "min_items", "max_length": "max_items"}.get(name, name): value
            for name, value in found.items()
        }
    return found


def _with_bounds(cls: type[FieldDefinition], /, annotation: Any, **kwargs: Any) -> FieldDefinition:
    field: FieldDefinition = _from_annotation(cls, annotation, **kwargs)
    given = field.kwarg_definition
    if isinstance(given, ParameterKwarg):
        missing = {name: value for name, value in _bounds(field).items() if getattr(given, name) is None}
        if missing:
            object.__setattr__(field, "kwarg_definition", dataclasses.replace(given, **missing))
    return field


Instant = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
"""A moment in the address of a request; what the framework takes for one would be `null` and any number, too."""
_MOMENT = Annotated[datetime, Meta(tz=True)]


def moment(name: str, given: str | None) -> datetime | None:
    """The moment that a parameter names, with its offset. Raises BadInput."""
    if given is None:
        return None
    try:
        return in_utc(msgspec.convert(given, _MOMENT))
    except ValueError as error:
        raise BadInput(errors=[Invalid(pointer=name, detail=str(error))]) from error


def id_of(given: str | None) -> UUID | None:
    """The id that a parameter of the type IdText names."""
    return None if given is None else UUID(given)


def read_bounds() -> None:
    """Let every handler registered from now on check and document the bounds of its path and query parameters."""
    FieldDefinition.from_annotation = classmethod(_with_bounds)  # type: ignore[assignment,method-assign]
