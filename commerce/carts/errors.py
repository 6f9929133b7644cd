"""Refusals of `carts`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.carts.schemas import CartView, RefusedLine
from commerce.kernel.errors import Conflict, NotFound, Stale, TooMany, Unprocessable


class UnknownCart(NotFound):
    code = "unknown-cart"
    title = "No such cart"
    title_ru = "Нет такой корзины"
    detail = "There is no cart {cart} of yours. Your open cart is always at /v1/carts/current."
    detail_ru = "У вас нет корзины {cart}. Открытая корзина всегда доступна по адресу /v1/carts/current."
    members_schema: ClassVar[dict[str, Any]] = {"cart": str}


class CartClosed(Conflict):
    code = "cart-closed"
    title = "The cart can no longer change"
    title_ru = "Корзину больше нельзя изменить"
    detail = "This cart is {state}. Go on with /v1/carts/current."
    detail_ru = "Эта корзина уже в состоянии {state}. Продолжайте с /v1/carts/current."
    members_schema: ClassVar[dict[str, Any]] = {"cart": str, "state": str}


class StaleCart(Stale):
    code = "stale-cart"
    title = "The cart has changed since you saw it"
    title_ru = "Корзина изменилась"
    detail = "You saw version {seen}, it is now {version}: see `cart`. Decide again and send its version in If-Match."
    detail_ru = (
        "Вы видели версию {seen}, сейчас {version}: смотрите `cart`. Решите заново и передайте её версию в If-Match."
    )
    members_schema: ClassVar[dict[str, Any]] = {"seen": int, "version": int, "cart": CartView}


class NotSellable(Unprocessable):
    code = "not-sellable"
    title = "This cannot be bought"
    title_ru = "Это нельзя купить"
    detail = "{sku} is not on sale: {reason}. `lines` names each such line; leave them out."
    detail_ru = "{sku} не продаётся: {reason}. Все такие строки названы в `lines`; уберите их."
    members_schema: ClassVar[dict[str, Any]] = {"sku": str, "reason": str, "lines": list[RefusedLine]}


class OverMaximum(Unprocessable):
    code = "over-maximum"
    title = "More than one order may have"
    title_ru = "Больше, чем разрешено в одном заказе"
    detail = "At most {maximum} of {sku} in one order. `lines` names each such line with its maximum."
    detail_ru = "В одном заказе не больше {maximum} шт. {sku}. Все такие строки с пределом названы в `lines`."
    members_schema: ClassVar[dict[str, Any]] = {"sku": str, "maximum": int, "lines": list[RefusedLine]}


class RepeatedSku(Unprocessable):
    code = "repeated-sku"
    title = "A SKU is named twice"
    title_ru = "Артикул назван дважды"
    detail = "{sku} is in `lines` more than once. Quantities are absolute: send each SKU once."
    detail_ru = "{sku} встречается в `lines` несколько раз. Количество абсолютное: передайте каждый артикул один раз."
    members_schema: ClassVar[dict[str, Any]] = {"sku": str}


class NotInCart(NotFound):
    code = "not-in-cart"
    title = "This is not in the cart"
    title_ru = "Этого нет в корзине"
    detail = "{sku} is not in the cart. Read the cart again: another device may have taken it out, or ordered it."
    detail_ru = "{sku} нет в корзине. Прочитайте корзину снова: его могли убрать или заказать с другого устройства."
    members_schema: ClassVar[dict[str, Any]] = {"sku": str}


class CartFull(Unprocessable):
    code = "cart-full"
    title = "The cart is full"
    title_ru = "Корзина заполнена"
    detail = "A cart holds at most {maximum} lines, this would make {lines}."
    detail_ru = "В корзине не больше {maximum} строк, а получилось бы {lines}."
    members_schema: ClassVar[dict[str, Any]] = {"maximum": int, "lines": int}


class NotAnonymous(Unprocessable):
    code = "not-an-anonymous-token"
    title = "This is no token of an anonymous shopper"
    title_ru = "Это не токен анонимного покупателя"
    detail = "Send in `token` the unexpired access token under which the other cart was filled before signing in."
    detail_ru = "Передайте в `token` действующий токен, с которым корзина собиралась до входа."


class TooManyScreens(TooMany):
    code = "too-many-screens"
    title = "The cart is followed on too many screens"
    title_ru = "За корзиной следит слишком много экранов"
    detail = "At most {most} streams of one cart stay open. Close one, or ask for the cart by its ETag instead."
    detail_ru = "Одновременно открыто не больше {most} потоков корзины. Закройте один или опрашивайте корзину по ETag."
    members_schema = {"most": int}
