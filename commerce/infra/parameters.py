"""Bounds of path and query parameters.

Litestar 2.25 reads the bounds of a parameter from annotated_types and from its own markers, not from the msgspec.Meta that our
bounded types (kernel/text.py) carry: `FromPath[Sku]` would neither check nor document the pattern. This makes it do both, and has
moments refused that do not say their offset.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from litestar._signature.model import SignatureModel
from litestar.params import ParameterKwarg
from litestar.typing import FieldDefinition
from msgspec import Meta

BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "title", "description")

_from_annotation = FieldDefinition.from_annotation.__func__  # type: ignore[attr-defined]
_annotation = SignatureModel._create_annotation.__func__  # type: ignore[attr-defined]


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


def _with_zone(cls: type[SignatureModel], /, field_definition: FieldDefinition, **kwargs: Any) -> Any:
    annotation = _annotation(cls, field_definition, **kwargs)
    for meta in field_definition.metadata:
        if isinstance(meta, Meta) and meta.tz is not None:
            annotation = Annotated[annotation, Meta(tz=meta.tz)]
    return annotation


def read_bounds() -> None:
    """Let every handler registered from now on check and document the bounds of its path and query parameters."""
    SignatureModel._create_annotation = classmethod(_with_zone)  # type: ignore[assignment,method-assign]
    FieldDefinition.from_annotation = classmethod(_with_bounds)  # type: ignore[assignment,method-assign]
