"""The kinds of failure. A room subclasses a kind, so a failure never becomes 500 by forgetting.

Each class has a fixed `code` (the last part of the problem's `type`) and a `title` and a `detail` template in English and
Russian; the text is rendered at the edge from code and members (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

SENTENCES = 3
"""Lines that the detail speaks of; all of them are in the members."""


def _filled(template: str, members: Mapping[str, Any]) -> str:
    try:
        return template.format_map(members)
    except (KeyError, IndexError, AttributeError):
        return template


def _fields(line: Any) -> Mapping[str, Any]:
    return (
        line if isinstance(line, Mapping) else msgspec.structs.asdict(line) if isinstance(line, msgspec.Struct) else {}
    )


class Problem(Exception):
    """A refusal that the caller can act upon. Members are typed extension members of the problem document."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something broke on our side"
    title_ru: ClassVar[str] = "Ошибка на нашей стороне"
    detail: ClassVar[str] = "The request was not carried out. Try again, and name the instance when you report it."
    detail_ru: ClassVar[str] = "Запрос не выполнен. Повторите его; сообщая об ошибке, назовите номер instance."
    each: ClassVar[str] = ""
    """A sentence about each of the member `lines`, put before the detail."""
    each_ru: ClassVar[str] = ""
    kept: ClassVar[bool] = False
    """The verb's own record (an attempt counter) is committed before this is raised."""
    members_schema: ClassVar[dict[str, Any]] = {}
    """Name -> type of the extension members, for the OpenAPI document."""

    def __init__(self, **members: Any) -> None:
        super().__init__(self.code)
        self.members = members
        self.retry_after_seconds: int | None = members.pop("retry_after_seconds", None)

    def text(self, language: str) -> tuple[str, str]:
        """Title and detail in the reader's language (`ru` or `en`)."""
        title, template = (self.title_ru, self.detail_ru) if language == "ru" else (self.title, self.detail)
        lines = self.members.get("lines")
        named = lines[:SENTENCES] if isinstance(lines, list | tuple) else ()
        sentences = [self.sentence(_fields(line), language) for line in named]
        return title, " ".join([*filter(None, sentences), _filled(template, self.members)])

    def sentence(self, line: Mapping[str, Any], language: str) -> str:
        """What is said of one of the member `lines`; nothing when the class has no words for it."""
        template = self.each_ru if language == "ru" else self.each
        try:
            return template.format_map(line)
        except KeyError:
            return ""

    def __str__(self) -> str:
        return f"{self.code}: {self.text('en')[1]}"


class Malformed(Problem):
    status = 400


class Unauthenticated(Problem):
    status = 401


class Forbidden(Problem):
    status = 403


class NotFound(Problem):
    status = 404


class Conflict(Problem):
    status = 409


class Stale(Problem):
    status = 412


class Unprocessable(Problem):
    status = 422


class Contradictory(Unprocessable):
    """Data that contradict themselves: which field, and why, in both languages; the member `reason` is the English one."""

    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."
    members_schema = {"field": str, "reason": str}

    def __init__(self, *, field: str, reason: str, reason_ru: str) -> None:
        super().__init__(field=field, reason=reason)
        self.reason_ru = reason_ru

    def text(self, language: str) -> tuple[str, str]:
        if language != "ru":
            return super().text(language)
        return self.title_ru, _filled(self.detail_ru, {**self.members, "reason": self.reason_ru})


class PreconditionRequired(Problem):
    status = 428


class TooMany(Problem):
    status = 429


class Busy(Problem):
    status = 503
    code = "busy"
    title = "Busy"
    title_ru = "Сервис занят"
    detail = "Too many requests for the same thing at once. Nothing was changed; try again shortly."
    detail_ru = "Слишком много одновременных запросов к одному и тому же. Ничего не изменено; повторите чуть позже."
