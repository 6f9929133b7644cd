"""The failures of the stock room."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Unprocessable
from commerce.stock.schemas import ShelfBucket, Short


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


class UnknownLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a body whose SKU nobody knows."""

    pointer: str
    sku: str


class ComponentUnits(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a variant in one bundle."""

    sku: str
    quantity: int


class BundleLine(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle, and what it is made of."""

    sku: str
    components: list[ComponentUnits]


class StandingStill(msgspec.Struct, frozen=True, kw_only=True):
    """Goods that would come back to the bucket that they were taken from."""

    sku: str
    bucket: ShelfBucket


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


class NotExpected(Conflict):
    code = "not-expected"
    title = "Less is expected than that"
    title_ru = "Столько не ожидается"
    detail = "Only {left} are still to come, {quantity} were named. Look at the announcement again."
    detail_ru = "Ожидается ещё {left}, указано {quantity}. Проверьте уведомление о поставке."
    members_schema = {"left": int, "quantity": int}


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


class UnknownSkus(NotFound):
    code = "unknown-skus"
    title = "No such SKUs"
    title_ru = "Нет таких артикулов"
    each = "There is no variant with the SKU {sku} ({pointer})."
    each_ru = "Нет варианта с артикулом {sku} ({pointer})."
    detail = (
        "`lines` names every line with an unknown SKU. Nothing was booked. SKUs are exact, capital letters included."
    )
    detail_ru = "В `lines` названы все строки с неизвестным артикулом. Ничего не проведено. Артикул нужен точный, с учётом регистра."
    members_schema = {"lines": list[UnknownLine]}

    def __init__(self, lines: Sequence[UnknownLine]) -> None:
        super().__init__(lines=[msgspec.to_builtins(line) for line in lines])


class BundleHasNoStock(Unprocessable):
    code = "bundle-has-no-stock"
    title = "A bundle has no stock of its own"
    title_ru = "У комплекта нет собственного остатка"
    each = "{sku} is a bundle."
    each_ru = "{sku} — комплект."
    detail = "Its stock is that of its components: book those, `lines` names them."
    detail_ru = "Его остаток — это остатки его частей: проводите их, они названы в `lines`."
    members_schema = {"lines": list[BundleLine]}

    def __init__(self, lines: Sequence[BundleLine]) -> None:
        super().__init__(lines=[msgspec.to_builtins(line) for line in lines])


class SameBucket(Unprocessable):
    code = "same-bucket"
    title = "Nothing would move"
    title_ru = "Ничего не изменится"
    each = "{sku} would come back to {bucket}."
    each_ru = "{sku} вернётся в {bucket}."
    detail = "A move needs another bucket; a conversion makes another variant, or the same one in another bucket."
    detail_ru = "Перемещению нужно другое состояние, переделке — другой товар или другое состояние того же товара."
    members_schema = {"lines": list[StandingStill]}

    def __init__(self, lines: Sequence[StandingStill]) -> None:
        super().__init__(lines=[msgspec.to_builtins(line) for line in lines])


class LocationCannotReceive(Conflict):
    code = "location-cannot-receive"
    title = "The location does not receive goods"
    title_ru = "Это место не принимает товар"
    detail = (
        "{location} has no role `receives`, or is closed for good. Send the goods elsewhere, or change the location."
    )
    detail_ru = (
        "У {location} нет роли `receives`, или место закрыто навсегда. Направьте товар в другое место или измените это."
    )
    members_schema = {"location": str}


class UnknownAdjustment(NotFound):
    code = "unknown-adjustment"
    title = "No such adjustment"
    title_ru = "Нет такой корректировки"
    detail = "There is no adjustment {adjustment}. Those of a store are listed by GET /v1/stores/{{code}}/adjustments."
    detail_ru = (
        "Нет корректировки {adjustment}. Корректировки магазина перечисляет GET /v1/stores/{{code}}/adjustments."
    )
    members_schema = {"adjustment": str}


class AdjustmentElsewhere(Forbidden):
    code = "adjustment-elsewhere"
    title = "Another store's adjustment"
    title_ru = "Корректировка другого магазина"
    detail = "Adjustment {adjustment} belongs to another store; only that store's staff see and decide it."
    detail_ru = "Корректировка {adjustment} относится к другому магазину; её видят и решают только его сотрудники."
    members_schema = {"adjustment": str}


class AdjustmentClosed(Conflict):
    code = "adjustment-closed"
    title = "The adjustment has been decided"
    title_ru = "По корректировке уже принято решение"
    detail = "Adjustment {adjustment} is {state} already. Ask for another one if the shelf says otherwise."
    detail_ru = "Корректировка {adjustment} уже в состоянии {state}. Если на полке иначе, запросите новую."
    members_schema = {"adjustment": str, "state": str}


class NotPast(Unprocessable):
    code = "not-past"
    title = "That moment has not come yet"
    title_ru = "Этот момент ещё не наступил"
    detail = "{at} lies in the future; it is {now}. The books know the present, and every instant of the past."
    detail_ru = "{at} ещё не наступило: сейчас {now}. Учёт знает настоящее и любой прошедший момент."
    members_schema = {"at": str, "now": str}


class SafetyScope(Unprocessable):
    code = "safety-scope"
    title = "A rule of safety stock has no clear scope"
    title_ru = "Непонятно, к чему относится правило неснижаемого остатка"
    detail = (
        "Rule {n} (from 0) {reason}. A rule is for a location, for a variant or a category everywhere, or for a variant or a "
        "category at a location; each scope stands once."
    )
    detail_ru = (
        "Правило {n} (с 0) задано неверно: {reason}. Правило относится к месту, к товару или категории везде, либо к товару или "
        "категории в одном месте; каждое сочетание — один раз."
    )
    members_schema = {"n": int, "reason": str}
