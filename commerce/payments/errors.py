"""What payments refuses."""

from __future__ import annotations

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Unprocessable
from commerce.kernel.money import Money


class CardNumberRefused(Unprocessable):
    code = "card-number-refused"
    title = "That looks like a card number"
    title_ru = "Похоже на номер карты"
    detail = "Give the reference printed on the terminal's slip. Card numbers are never stored here."
    detail_ru = "Укажите номер операции с чека терминала. Номера карт здесь никогда не хранятся."


class OtherTenderRefused(Forbidden):
    code = "other-tender-refused"
    title = "Money goes back the way it came"
    title_ru = "Деньги возвращаются тем же способом"
    detail = "This was not all paid by {tender}. Refund it the way it was paid, or let a store manager give it back otherwise."
    detail_ru = (
        "Не всё было оплачено так: {tender}. Верните тем же способом, каким платили, или пригласите директора магазина."
    )
    members_schema = {"tender": str, "paid_otherwise": Money}


class RefundExceedsPayment(Conflict):
    code = "refund-exceeds-payment"
    title = "More than was paid"
    title_ru = "Больше, чем оплачено"
    detail = "Only `left` of what was paid for this order has not been given back yet. Refund no more than that."
    detail_ru = "По этому заказу можно вернуть не больше `left`: остальное не оплачено или уже возвращено."
    members_schema = {"left": Money, "wanted": Money}


class RegisterElsewhere(Conflict):
    code = "register-elsewhere"
    title = "This register belongs to another store"
    title_ru = "Эта касса относится к другому магазину"
    detail = (
        "The register {register} numbers the receipts of another store. Do this on a device of {store}: a till that has moved "
        "there is made known anew, with another code."
    )
    detail_ru = (
        "Касса {register} нумерует чеки другого магазина. Сделайте это на устройстве магазина {store}: "
        "перенесённая туда касса регистрируется заново, с другим кодом."
    )
    members_schema = {"register": str, "store": str}


class UnknownReceipt(NotFound):
    code = "unknown-receipt"
    title = "No such receipt"
    title_ru = "Нет такого чека"
    detail = "No receipt with this register and number here. Both are printed at the foot of the receipt."
    detail_ru = "Здесь нет чека с такой кассой и номером. Оба указаны внизу чека."
