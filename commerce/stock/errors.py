"""The failures of the stock room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal
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


class CodesOfLine(msgspec.Struct, frozen=True, kw_only=True):
    """How many codes the units of a SKU need, and how many were named."""

    sku: str
    needed: int
    given: int


class UnitNamed(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, by the code that was named, as it is kept."""

    sku: str
    code: str


class UnitElsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that cannot come back for this line: it `never` left, is `back` already, or left with an `other_order`."""

    sku: str
    code: str
    reason: Literal["never", "back", "other_order"]


class UnitOnTheBooks(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that nobody can have bought unseen: it is `in_stock`, `gone` otherwise than by a sale, or left with an order (`sold`)."""

    sku: str
    code: str
    reason: Literal["in_stock", "gone", "sold"]


class LaterDate(msgspec.Struct, frozen=True, kw_only=True):
    """When all of it could be ready, sent there from elsewhere or out of what is expected, and until when it would be kept."""

    from_at: datetime
    until_at: datetime


class InsufficientStock(Conflict):
    code = "insufficient-stock"
    title = "Not enough in stock"
    title_ru = "Недостаточно товара"
    each = "{sku}: {left} left at {location}, {wanted} wanted."
    each_ru = "{sku}: в {location} осталось {left}, нужно {wanted}."
    detail = (
        "Lower the quantity or choose another place; `lines` names places that have enough. When `later` names a date, the goods can be "
        "there then: order with `pickup.later`."
    )
    detail_ru = (
        "Уменьшите количество или выберите другое место; в `lines` названы места, где товара достаточно. Если в `later` указан срок, "
        "товар можно получить к нему: оформите заказ с `pickup.later`."
    )
    members_schema = {"lines": list[LineShort], "later": LaterDate | None}

    def __init__(self, short: Sequence[Short]) -> None:
        self.short = list(short)
        super().__init__(lines=[msgspec.to_builtins(line) for line in self.short], later=None)


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
    detail = "Your role reaches other locations, not this one; what holds for all locations needs a role for the whole chain."
    detail_ru = (
        "Ваша роль относится к другим местам, не к этому; для того, что действует везде, нужна роль для всей сети."
    )


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
    reasons_ru: ClassVar[dict[str, str]] = {
        "names both a variant and a category": "названы и товар, и категория",
        "names nothing": "ничего не названо",
        "stands twice": "указано дважды",
    }

    def text(self, language: str) -> tuple[str, str]:
        if language != "ru":
            return super().text(language)
        reason = self.reasons_ru[self.members["reason"]]
        return self.title_ru, self.detail_ru.format_map({**self.members, "reason": reason})


class UnitCodesNeeded(Unprocessable):
    code = "unit-codes-needed"
    title = "Name every unit by its code"
    title_ru = "Укажите код каждой единицы"
    each = "{sku}: {needed} needed, {given} named."
    each_ru = "{sku}: нужно {needed}, указано {given}."
    detail = "Units of these SKUs have codes of their own. Scan each unit; a bundle's components are named by their own SKUs."
    detail_ru = (
        "У единиц этих артикулов есть собственные коды. Отсканируйте каждую; части комплекта называют по их артикулам."
    )
    members_schema = {"lines": list[CodesOfLine]}


class TooManyUnitCodes(Unprocessable):
    code = "too-many-unit-codes"
    title = "More codes than units"
    title_ru = "Кодов больше, чем единиц"
    each = "{sku}: {given} codes were named for {needed} units."
    each_ru = "{sku}: указано кодов {given}, единиц {needed}."
    detail = "Correct the quantity, or leave out the codes of other units."
    detail_ru = "Исправьте количество или уберите коды других единиц."
    members_schema = {"lines": list[CodesOfLine]}


class UnitCodesNotKept(Unprocessable):
    code = "unit-codes-not-kept"
    title = "These goods have no codes of their own"
    title_ru = "У этих товаров нет собственных кодов"
    each = "{sku}: {given} codes were named."
    each_ru = "{sku}: указано кодов {given}."
    detail = "Leave the codes out, or set `tracking` in the catalog if each unit has one. See `lines`."
    detail_ru = (
        "Не передавайте коды или задайте `tracking` в каталоге, если код есть у каждой единицы. Смотрите `lines`."
    )
    members_schema = {"lines": list[CodesOfLine]}


class UnitCodeRepeated(Unprocessable):
    code = "unit-code-repeated"
    title = "The same unit twice"
    title_ru = "Одна и та же единица дважды"
    each = "{sku}: {code} was named more than once."
    each_ru = "{sku}: {code} указан несколько раз."
    detail = "Each unit is named once. Labels of one GTIN and serial number are one unit, however they were read."
    detail_ru = "Каждую единицу называют один раз. Метки с одним GTIN и серийным номером — одна единица."
    members_schema = {"lines": list[UnitNamed]}


class UnitAlreadyHere(Conflict):
    code = "unit-already-here"
    title = "The unit stands in stock already"
    title_ru = "Единица уже числится на складе"
    each = "{sku}: {code} stands in stock."
    each_ru = "{sku}: {code} числится на складе."
    detail = "It cannot arrive again. Check the scan; GET /v1/stock/{{sku}}/units/{{code}} tells where it is."
    detail_ru = "Она не может поступить снова. Проверьте скан; где она, скажет GET /v1/stock/{{sku}}/units/{{code}}."
    members_schema = {"lines": list[UnitNamed]}


class UnitNotHere(Conflict):
    code = "unit-not-here"
    title = "The unit is in no stock"
    title_ru = "Единица не числится на складе"
    each = "{sku}: {code} has left already."
    each_ru = "{sku}: {code} уже выбыла."
    detail = "It was sold or given up before. Check the scan; GET /v1/stock/{{sku}}/units/{{code}} tells its history."
    detail_ru = "Она уже продана или списана. Проверьте скан; историю покажет GET /v1/stock/{{sku}}/units/{{code}}."
    members_schema = {"lines": list[UnitNamed]}


class UnitTaken(Conflict):
    code = "unit-taken"
    title = "The unit lies in a box already"
    title_ru = "Единица уже собрана"
    each = "{sku}: {code} was picked already."
    each_ru = "{sku}: {code} уже собрана."
    detail = "It was picked before, for this order or another one. Take another unit from the shelf."
    detail_ru = "Она уже собрана для этого или другого заказа. Возьмите с полки другую."
    members_schema = {"lines": list[UnitNamed]}


class UnitNotPicked(Conflict):
    code = "unit-not-picked"
    title = "Not the unit that was picked for this customer"
    title_ru = "Для этого покупателя собрана другая единица"
    each = "{sku}: {code} was not picked for this."
    each_ru = "{sku}: {code} собрана не для этой выдачи."
    detail = (
        "Hand over the units in this order's box. Another unit goes only in place of one that is not in it any more."
    )
    detail_ru = (
        "Выдайте единицы, собранные для этого заказа. Другая возможна только вместо той, которой там больше нет."
    )
    members_schema = {"lines": list[UnitNamed]}


class UnitNotOut(Conflict):
    code = "unit-not-out"
    title = "This unit cannot come back for this sale"
    title_ru = "Эту единицу нельзя вернуть по этой покупке"
    each = "{sku}: {code} ({reason})."
    each_ru = "{sku}: {code} ({reason})."
    detail = "See `lines`: never handed over, back already, or sold with another order. Find the sale that this unit left with."
    detail_ru = (
        "Смотрите `lines`: never — не выдавалась, back — уже возвращена, other_order — продана по другому заказу. "
        "Найдите её продажу."
    )
    members_schema = {"lines": list[UnitElsewhere]}


class UnitOnRecord(Conflict):
    code = "unit-on-record"
    title = "The books know this unit"
    title_ru = "Эта единица есть в учёте"
    each = "{sku}: {code} ({reason})."
    each_ru = "{sku}: {code} ({reason})."
    detail = (
        "See `lines`: in_stock: it never left, or is back already; gone: lost, or sent back to its vendor; sold: find its order. "
        "Check the scan; GET /v1/stock/{{sku}}/units/{{code}} tells its history."
    )
    detail_ru = (
        "Смотрите `lines`: in_stock — числится на складе, gone — списана или возвращена поставщику, sold — найдите её заказ. "
        "Проверьте скан; историю покажет GET /v1/stock/{{sku}}/units/{{code}}."
    )
    members_schema = {"lines": list[UnitOnTheBooks]}


class UnknownUnit(NotFound):
    code = "unknown-unit"
    title = "No such unit"
    title_ru = "Нет такой единицы"
    detail = "No unit {unit} of {sku} was ever seen. Codes are exact, capital letters included."
    detail_ru = "Единица {unit} товара {sku} нигде не встречалась. Код нужен точный, с учётом регистра."
    members_schema = {"sku": str, "unit": str}
