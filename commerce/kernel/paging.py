"""Keyset pages: `limit`, `cursor` in; `items`, `next_cursor` out. A cursor is opaque and survives inserts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from commerce.kernel.clock import in_utc
from commerce.kernel.errors import Malformed

T = TypeVar("T")
R = TypeVar("R")

Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]
Cursor = Annotated[str, msgspec.Meta(max_length=500, pattern="^[A-Za-z0-9_-]*$")]


class BadCursor(Malformed):
    code = "bad-cursor"
    title = "Unknown cursor"
    title_ru = "Неизвестный курсор"
    detail = "Give the next_cursor of an earlier answer of the same list, unchanged, or leave it out."
    detail_ru = "Передайте next_cursor из предыдущего ответа того же списка без изменений или не передавайте его."


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page. `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*key: Any) -> str:
    """An opaque cursor of the last row's sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *types: Any) -> tuple[Any, ...]:
    """The sort key of a cursor, each part of the given type. Raises BadCursor."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if b"\\u0000" in raw:
            raise BadCursor
        parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
        if len(parts) != len(types):
            raise BadCursor
        found = [msgspec.json.decode(part, type=kind) for part, kind in zip(parts, types, strict=True)]
        return tuple(in_utc(part) if isinstance(part, datetime) else part for part in found)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise BadCursor from error


def page_of(rows: Sequence[R], limit: int, view: Callable[[R], T], key: Callable[[R], tuple[Any, ...]]) -> Page[T]:
    """A page from `limit + 1` rows: the extra row only tells that there is more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=[view(row) for row in shown], next_cursor=encode_cursor(*key(shown[-1])) if more else None)
