"""Refusals of `prices`."""

from __future__ import annotations

from commerce.kernel.errors import Conflict, Unprocessable


class PriceInPast(Unprocessable):
    code = "price-in-past"
    title = "A price cannot change the past"
    title_ru = "Цену нельзя изменить задним числом"
    detail = (
        "`valid_from` must be 10 seconds away or more, so that every till and shop sees the price before it is in force; orders "
        "have been placed at the prices of the past. Leave it out for as soon as possible."
    )
    detail_ru = (
        "valid_from — не раньше чем через 10 секунд, чтобы новую цену увидели все кассы и витрины; по прежним ценам уже "
        "оформлены заказы. Не передавайте valid_from, чтобы цена начала действовать как можно скорее."
    )
    members_schema = {"variants": list[str]}


class WrongCurrency(Unprocessable):
    code = "wrong-currency"
    title = "Not the currency of this shop"
    title_ru = "Не та валюта"
    detail = "Prices are in {currency} here: there is one currency and one price list."
    detail_ru = "Здесь цены в {currency}: валюта и прайс-лист одни."
    members_schema = {"currency": str}


class NoPrice(Conflict):
    code = "no-price"
    title = "Not priced yet"
    title_ru = "Цена ещё не назначена"
    detail = "{sku} has no price at this moment."
    detail_ru = "У {sku} сейчас нет цены."
    members_schema = {"sku": str}
