"""Refusals of `lists`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import NotFound, Stale, Unprocessable
from commerce.lists.schemas import ListView


class UnknownList(NotFound):
    code = "unknown-list"
    title = "No such list"
    title_ru = "Нет такого списка"
    detail = "There is no list {list} of yours. All your lists are at /v1/lists."
    detail_ru = "У вас нет списка {list}. Все ваши списки доступны по адресу /v1/lists."
    members_schema: ClassVar[dict[str, Any]] = {"list": str}


class StaleList(Stale):
    code = "stale-list"
    title = "The list has changed since you saw it"
    title_ru = "Список изменился"
    detail = "You saw version {seen}, it is now {version}: see `list`. Decide again and send its version in If-Match."
    detail_ru = (
        "Вы видели версию {seen}, сейчас {version}: смотрите `list`. Решите заново и передайте её версию в If-Match."
    )
    members_schema: ClassVar[dict[str, Any]] = {"seen": int, "version": int, "list": ListView}


class TooManyLists(Unprocessable):
    code = "too-many-lists"
    title = "There are as many lists as there may be"
    title_ru = "Больше списков создать нельзя"
    detail = "You may have {maximum} lists. Delete one that you no longer need."
    detail_ru = "Можно иметь не больше {maximum} списков. Удалите тот, который больше не нужен."
    members_schema: ClassVar[dict[str, Any]] = {"maximum": int}


class ListFull(Unprocessable):
    code = "list-full"
    title = "The list is full"
    title_ru = "Список заполнен"
    detail = "A list holds at most {maximum} lines. Take one out, or begin another list."
    detail_ru = "В списке не больше {maximum} строк. Уберите одну или начните другой список."
    members_schema: ClassVar[dict[str, Any]] = {"maximum": int}


class ListWithoutName(Unprocessable):
    code = "list-without-name"
    title = "This list has no name"
    title_ru = "У этого списка нет названия"
    detail = "The wish list and what is saved for later have no name of their own. Make a named list for that."
    detail_ru = "У списка желаний и отложенных товаров нет своего названия. Создайте для этого отдельный список."


class NotOnList(Unprocessable):
    code = "not-on-list"
    title = "This is not on the list"
    title_ru = "Этого нет в списке"
    detail = "{sku} is not on the list. Read it again: it may have been taken off on another device."
    detail_ru = "{sku} нет в списке. Прочитайте его снова: строку могли убрать с другого устройства."
    members_schema: ClassVar[dict[str, Any]] = {"sku": str}


class UnknownSharedList(NotFound):
    code = "unknown-shared-list"
    title = "Nothing is shared by this link"
    title_ru = "По этой ссылке ничего нет"
    detail = "The link is not complete, or its owner has revoked it. Ask him for another."
    detail_ru = "Ссылка неполная, или владелец её отозвал. Попросите у него новую."
