"""Refusals of `prices`."""

from __future__ import annotations

from commerce.kernel.errors import Conflict, Unprocessable


class PriceInPast(Unprocessable):
    code = "price-in-past"
    title = "A price cannot change the past"
    title_ru = "Цену нельзя изменить задним числом"
    detail = "`valid_from` must be now or later: orders have been placed at the prices of then. Leave it out for now."
    detail_ru = "valid_from должен быть не раньше текущего момента: по прежним ценам уже оформлены заказы."
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
