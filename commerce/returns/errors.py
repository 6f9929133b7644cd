"""What returns refuses."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Unprocessable
from commerce.kernel.money import Money


class LineLeft(Struct, frozen=True, kw_only=True):
    """A line of the order of which more was to come back than is still out there."""

    n: int
    sku: str
    wanted: int
    left: int


class LineNamed(Struct, frozen=True, kw_only=True):
    """A line of the order."""

    n: int
    sku: str


class LineOfRequest(Struct, frozen=True, kw_only=True):
    """A line of the request, counted from 0, as it named the goods."""

    index: int
    n: int | None
    sku: str | None


Untaken = Literal["sku_or_barcode", "unknown", "no_price", "too_many", "not_in_bundle"]


class GoodsRefused(Struct, frozen=True, kw_only=True):
    """A line of the request, counted from 0, and why its goods cannot be taken without a sale: neither or both of SKU and barcode are
    given, they are `unknown`, nobody can have bought them (`no_price`), more than anybody sells at once, or not parts of this bundle."""

    index: int
    sku: str | None
    barcode: str | None
    reason: Untaken


class AboveLowest(Struct, frozen=True, kw_only=True):
    """A line of the request, counted from 0, for which more was to be given back than its lowest price."""

    index: int
    sku: str
    wanted: Money
    most: Money


class UnitSold(Struct, frozen=True, kw_only=True):
    """A unit whose code tells its sale; the order is named to whom may read orders."""

    sku: str
    code: str
    order: str | None


class LineRefused(Struct, frozen=True, kw_only=True):
    """A line that the policy does not take back on this ground. `days` are those the ground has, null when it has none."""

    n: int
    sku: str
    ground: str
    reason: Literal["excluded", "too_late", "not_a_distance_sale"]
    days: int | None


class UnknownReturn(NotFound):
    code = "unknown-return"
    title = "No such return"
    title_ru = "Нет такого возврата"
    detail = "No return of yours has this number. It looks like R-4821-3059-1768."
    detail_ru = "У вас нет возврата с таким номером. Номер выглядит так: R-4821-3059-1768."


class SaleNotNamed(Unprocessable):
    code = "sale-not-named"
    title = "Which sale?"
    title_ru = "Не указана покупка"
    detail = "Name the sale by `order` or by `receipt`, not by both."
    detail_ru = "Укажите покупку либо через `order`, либо через `receipt`, но не оба сразу."


class LineNotInOrder(Unprocessable):
    code = "line-not-in-order"
    title = "Not one line of this order"
    title_ru = "Такой строки в заказе нет"
    detail = "See `lines`: each must name one line of the order, by `n`, or by a `sku` that only one line has."
    detail_ru = "Смотрите `lines`: каждая должна указывать одну строку заказа через `n` или через `sku`, если он один."
    members_schema = {"lines": list[LineOfRequest]}


class NotHandedOver(Conflict):
    code = "not-handed-over"
    title = "The customer has not received it"
    title_ru = "Товар ещё не выдан покупателю"
    each = "{sku} has not been handed over."
    each_ru = "{sku} не выдавался."
    detail = "Nothing of it can come back. Cancel it in the order instead."
    detail_ru = "Возвращать нечего. Отмените это в заказе."
    members_schema = {"lines": list[LineNamed]}


class TooManyReturned(Conflict):
    code = "too-many-returned"
    title = "More than is still with the customer"
    title_ru = "Больше, чем осталось у покупателя"
    each = "{sku}: {wanted} brought, {left} can still come back."
    each_ru = "{sku}: принесли {wanted}, вернуть можно ещё {left}."
    detail = "Only what was handed over and has not come back yet can be returned."
    detail_ru = "Вернуть можно только то, что выдано и ещё не возвращено."
    members_schema = {"lines": list[LineLeft]}


class ReturnNotAccepted(Unprocessable):
    code = "return-not-accepted"
    title = "The return policy does not take this back"
    title_ru = "По правилам возврата это не принимается"
    detail = (
        "See `lines`: excluded from a change of mind, or later than `days` after hand-over. A defect is another ground."
    )
    detail_ru = "Смотрите `lines`: возврат без причины исключён или прошло больше `days` дней после выдачи. Брак — другое основание."
    members_schema = {"lines": list[LineRefused]}


class StoreTakesNoReturns(Conflict):
    code = "store-takes-no-returns"
    title = "This store takes no returns"
    title_ru = "Этот магазин не принимает возвраты"
    detail = "Reason: {reason}. Send the customer to a store with the role `accepts_returns`; any of them will do."
    detail_ru = "Причина: {reason}. Направьте покупателя в любой магазин с ролью `accepts_returns`."
    members_schema = {"store": str, "reason": str}


class GoodsNotTaken(Unprocessable):
    code = "goods-not-taken"
    title = "These goods cannot come back without a sale"
    title_ru = "Без чека эти товары принять нельзя"
    detail = (
        "See `lines`: by index, what was given and why: sku_or_barcode, unknown, too_many, not_in_bundle; no_price: nobody can have "
        "bought it here."
    )
    detail_ru = (
        "Смотрите `lines`: номер строки, что передано и в чём дело: sku_or_barcode, unknown, too_many, not_in_bundle; "
        "no_price — товар здесь не продавался."
    )
    members_schema = {"lines": list[GoodsRefused]}


class RefundAboveLowest(Unprocessable):
    code = "refund-above-lowest"
    title = "More than its lowest price"
    title_ru = "Больше минимальной цены"
    each = "{sku}: more than `most`."
    each_ru = "{sku}: больше `most`."
    detail = "Without a sale no more is given back than the lowest price of the last {days} days. Leave `refund` out for that price."
    detail_ru = "Без чека возвращается не больше минимальной цены за последние {days} дн. Не передавайте `refund`, чтобы вернуть её."
    members_schema = {"days": int, "lines": list[AboveLowest]}


class SaleKnown(Conflict):
    code = "sale-known"
    title = "The sale of this unit is known"
    title_ru = "Покупка этой единицы известна"
    each = "{sku}: {code}."
    each_ru = "{sku}: {code}."
    detail = (
        "Take it back by its order, named in `lines` to whom may read orders: what was paid for it is given back then."
    )
    detail_ru = (
        "Примите возврат по заказу: он указан в `lines`, если вам можно смотреть заказы. Тогда вернётся уплаченное."
    )
    members_schema = {"lines": list[UnitSold]}


class BlindReturnTooDear(Conflict):
    code = "blind-return-too-dear"
    title = "Too much for a return without a sale"
    title_ru = "Слишком большая сумма для возврата без чека"
    detail = (
        "Without a sale no more than `most` is given back at once, whoever approves it. Find the order or the receipt."
    )
    detail_ru = "Без чека за раз возвращается не больше `most`, кто бы это ни подтвердил. Найдите заказ или чек."
    members_schema = {"most": Money, "wanted": Money}


class ReturnApprovalNeeded(Forbidden):
    code = "return-approval-needed"
    title = "Somebody must approve this return"
    title_ru = "Этот возврат нужно подтвердить"
    detail = "Ask who holds {permission} to approve in the same request: Approval-Badge, or Approval-Login with Approval-Pin."
    detail_ru = (
        "Попросите того, у кого есть право {permission}, подтвердить в том же запросе: Approval-Badge или Approval-Login с "
        "Approval-Pin."
    )
    members_schema = {"permission": str, "refund_total": Money}
