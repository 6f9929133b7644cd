"""Refusals of `carts`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.carts.schemas import CartView, RefusedLine
from commerce.kernel.errors import Conflict, Contradictory, Forbidden, NotFound, Stale, TooMany, Unprocessable


class UnknownCart(NotFound):
    code = "unknown-cart"
    title = "No such cart"
    title_ru = "Нет такой корзины"
    detail = "There is no cart {cart} of yours. The first thing put into /v1/carts/current makes one."
    detail_ru = "У вас нет корзины {cart}. Она появится, как только что-нибудь положат в /v1/carts/current."
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
    detail = "Send in `token` the access token, unexpired and not revoked, under which the other cart was filled before signing in."
    detail_ru = "Передайте в `token` действующий токен, с которым корзина собиралась до входа."


class TooManyScreens(TooMany):
    code = "too-many-screens"
    title = "The cart is followed on too many screens"
    title_ru = "За корзиной следит слишком много экранов"
    detail = "At most {most} streams of one cart stay open. Close one, or ask for the cart by its ETag instead."
    detail_ru = "Одновременно открыто не больше {most} потоков корзины. Закройте один или опрашивайте корзину по ETag."
    members_schema: ClassVar[dict[str, Any]] = {"most": int}


class TooManyCarts(Unprocessable):
    code = "too-many-carts"
    title = "Too many open carts"
    title_ru = "Слишком много открытых корзин"
    detail = "At most {most} carts of one owner are open at once. Drop or merge one of them first."
    detail_ru = "Одновременно открыто не больше {most} корзин. Сначала закройте или объедините одну из них."
    members_schema: ClassVar[dict[str, Any]] = {"most": int}


class CartChoice(Contradictory):
    code = "cart-choice"
    title = "Name exactly one"
    title_ru = "Укажите ровно одно"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class UnknownLine(NotFound):
    code = "unknown-cart-line"
    title = "The cart has no such line"
    title_ru = "В корзине нет такой строки"
    detail = "{sku} is not in the cart. Put it there first."
    detail_ru = "{sku} нет в корзине. Сначала положите товар в корзину."
    members_schema: ClassVar[dict[str, Any]] = {"sku": str}


class BadWish(Contradictory):
    code = "bad-fulfillment"
    title = "How the goods are wanted does not add up"
    title_ru = "Способ получения указан неверно"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class NotABasket(Conflict):
    code = "not-a-basket"
    title = "This is a shopper's own cart"
    title_ru = "Это собственная корзина покупателя"
    detail = "A customer is named on a basket of a till or kiosk; a shopper's own cart is his."
    detail_ru = "Покупателя указывают в корзине кассы или киоска; собственная корзина и так принадлежит покупателю."


class CustomerNotFound(Unprocessable):
    code = "customer-not-found"
    title = "This names nobody"
    title_ru = "Покупатель не найден"
    detail = "No customer is found by this {by}. Scan again, or go on without a name."
    detail_ru = "Покупатель не найден ({by}). Отсканируйте ещё раз или продолжайте без имени."
    members_schema: ClassVar[dict[str, Any]] = {"by": str}


class WrongHandOffCode(Unprocessable):
    code = "wrong-hand-off-code"
    title = "The code is wrong or no longer good"
    title_ru = "Код неверен или больше не действует"
    detail = "A code is good once and for two minutes. Ask for a new one on the other screen. {left} more wrong codes are answered."
    detail_ru = "Код действует один раз и две минуты. Запросите новый на другом экране. Осталось попыток: {left}."
    members_schema: ClassVar[dict[str, Any]] = {"left": int}
    kept = True


class TooManyClaims(TooMany):
    code = "too-many-claims"
    title = "Too many wrong codes"
    title_ru = "Слишком много неверных кодов"
    detail = "Wait until Retry-After has passed, then ask for a new code."
    detail_ru = "Подождите, сколько указано в Retry-After, затем запросите новый код."


class OwnCart(Conflict):
    code = "own-cart"
    title = "The cart is here already"
    title_ru = "Эта корзина уже здесь"
    detail = "The code belongs to the cart that is open here: nothing needs to move. It is still good elsewhere."
    detail_ru = "Код относится к корзине, которая открыта здесь: переносить нечего. На другом экране он ещё действует."


class NotForJoining(Forbidden):
    code = "not-for-joining"
    title = "Only staff join a customer's cart"
    title_ru = "Присоединиться к корзине могут только сотрудники"
    detail = (
        "This code lets an associate work on the cart. To take the cart along, ask for a code with the mode `move`."
    )
    detail_ru = "По этому коду с корзиной работает сотрудник. Чтобы забрать корзину, запросите код с режимом `move`."


class NoCartHere(Unprocessable):
    code = "no-cart-here"
    title = "No cart is kept here"
    title_ru = "Здесь нет своей корзины"
    detail = (
        "Staff without a device have no cart of their own: work at a till or kiosk, join a cart, or act for a customer."
    )
    detail_ru = (
        "У сотрудника без устройства нет своей корзины: работайте на кассе или киоске или действуйте за покупателя."
    )


class NotYourCart(Forbidden):
    code = "not-your-cart"
    title = "This is for the owner of the cart"
    title_ru = "Это может только владелец корзины"
    detail = "Who has joined a cart may read it and change what is in it. The rest is for the customer."
    detail_ru = "Присоединившийся сотрудник может читать и менять содержимое корзины. Остальное — за покупателем."
    members_schema: ClassVar[dict[str, Any]] = {"cart": str}


class NamingNotAllowed(Forbidden):
    code = "naming-not-allowed"
    title = "A customer is named by his card or his phone"
    title_ru = "Покупателя указывают по карте или телефону"
    detail = "Only staff who may read customers name one by his id. Scan his loyalty card, or the code on his phone."
    detail_ru = (
        "По идентификатору указывает только сотрудник с доступом к профилям. Отсканируйте карту или код с телефона."
    )


class UnknownGuest(NotFound):
    code = "unknown-guest"
    title = "Nobody of this id has joined"
    title_ru = "К корзине не присоединялся такой сотрудник"
    detail = "Nobody works on this cart under {guest}."
    detail_ru = "Под номером {guest} с корзиной никто не работает."
    members_schema: ClassVar[dict[str, Any]] = {"guest": str}


class EmptyHandOff(Conflict):
    code = "nothing-to-hand-off"
    title = "There is no cart to hand on"
    title_ru = "Нечего передавать"
    detail = "Put something into the cart first."
    detail_ru = "Сначала положите что-нибудь в корзину."


class NothingToJoin(Conflict):
    code = "nothing-to-join"
    title = "Only a shopper's own cart is joined"
    title_ru = "Присоединиться можно только к собственной корзине покупателя"
    detail = "Staff at a till or kiosk see its baskets anyway. Ask for a code with the mode `move` to take one along."
    detail_ru = (
        "Сотрудник у кассы или киоска и так видит её корзины. Чтобы забрать корзину, запросите код с режимом `move`."
    )
