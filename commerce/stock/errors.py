"""The failures of the stock room."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from commerce.kernel.errors import Conflict, Forbidden, Unprocessable
from commerce.stock.schemas import Short


class NearStore(msgspec.Struct, frozen=True, kw_only=True):
    """Another place that has enough."""

    location: str
    name: dict[str, str]
    distance_metres: int


class LineShort(msgspec.Struct, frozen=True, kw_only=True):
    """A line that cannot be had there, and the nearest places where it can."""

    sku: str
    location: str
    wanted: int
    left: int
    near: list[NearStore]


class StillSetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order of which less is set aside than was asked for."""

    line_id: UUID
    wanted: int
    left: int


class InsufficientStock(Conflict):
    code = "insufficient-stock"
    title = "Not enough in stock"
    title_ru = "Недостаточно товара"
    each = "{sku}: {left} left at {location}, {wanted} wanted."
    each_ru = "{sku}: в {location} осталось {left}, нужно {wanted}."
    detail = "Lower the quantity or choose another place; `lines` names places that have enough."
    detail_ru = "Уменьшите количество или выберите другое место; в `lines` названы места, где товара достаточно."
    members_schema = {"lines": list[LineShort]}

    def __init__(self, short: Sequence[Short]) -> None:
        self.short = list(short)
        super().__init__(lines=[msgspec.to_builtins(line) for line in self.short])


class ReservationShort(Conflict):
    code = "reservation-short"
    title = "The goods are no longer set aside"
    title_ru = "Товар больше не отложен"
    detail = (
        "See `lines`: what was asked for and what is still set aside. A sale or a loss in the store took the rest; "
        "look for the goods, or cancel those lines."
    )
    detail_ru = (
        "Смотрите `lines`: сколько запрошено и сколько ещё отложено. Остальное продано или утрачено в магазине; "
        "найдите товар или отмените эти строки."
    )
    members_schema = {"lines": list[StillSetAside]}

    def __init__(self, lines: Sequence[tuple[UUID, int, int]]) -> None:
        """Lines are (line id, wanted, left)."""
        super().__init__(lines=[{"line_id": str(line), "wanted": wanted, "left": left} for line, wanted, left in lines])


class BelowZero(Conflict):
    code = "stock-below-zero"
    title = "There is less on the books than would be taken away"
    title_ru = "По учёту товара меньше, чем списывается"
    detail = "Only {left} can be taken from {bucket}. Check the quantity; count the shelf if the books are wrong."
    detail_ru = (
        "Из {bucket} можно списать не больше {left}. Проверьте количество; если учёт неверен, пересчитайте полку."
    )
    members_schema = {"left": int, "bucket": str}


class LevelTooHigh(Unprocessable):
    code = "stock-level-too-high"
    title = "More than the books can hold"
    title_ru = "Слишком большой остаток"
    detail = "A level may not pass 2,147,483,647 steps. Check the quantity."
    detail_ru = "Остаток не может превышать 2 147 483 647. Проверьте количество."


class WrongDirection(Unprocessable):
    code = "adjustment-direction"
    title = "The reason does not fit the direction of the adjustment"
    title_ru = "Причина не подходит к направлению корректировки"
    detail = "A {reason} adjustment {rule}."
    detail_ru = "Корректировка {reason} в эту сторону или из этого состояния невозможна."
    members_schema = {"reason": str, "rule": str}


class NotYourStock(Forbidden):
    code = "not-your-stock"
    title = "Not a location of yours"
    title_ru = "Не ваше место хранения"
    detail = "Your role lets you read stock, but not at this location."
    detail_ru = "Ваша роль не позволяет смотреть остатки в этом месте."
