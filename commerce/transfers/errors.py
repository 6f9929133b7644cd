"""Refusals of `transfers`."""

from __future__ import annotations

from msgspec import Struct

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable


class SkuNamed(Struct, frozen=True, kw_only=True):
    """A line, as it named the goods."""

    sku: str


class SkuLeft(Struct, frozen=True, kw_only=True):
    """A line of which more was named than there is."""

    sku: str
    wanted: int
    left: int


class SkuUnits(Struct, frozen=True, kw_only=True):
    """So many units of a line."""

    sku: str
    quantity: int


class UnknownTransfer(NotFound):
    code = "unknown-transfer"
    title = "No such transfer"
    title_ru = "Нет такого перемещения"
    detail = "There is no transfer {number} that you may see. It looks like TR-482-130-596."
    detail_ru = "Перемещения {number} нет или оно вам не видно. Номер выглядит так: TR-482-130-596."
    members_schema = {"number": str}


class TransferChanged(Stale):
    code = "transfer-changed"
    title = "The transfer has changed since you read it"
    title_ru = "Перемещение изменилось"
    detail = "You saw version {seen}, now it is {version}. Read it again and repeat the step."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте перемещение снова и повторите шаг."
    members_schema = {"seen": int, "version": int}


class TransferNotYours(Forbidden):
    code = "transfer-not-yours"
    title = "Neither end is a location of yours"
    title_ru = "Перемещение не между вашими местами"
    detail = "Your rights to move goods reach neither {source} nor {destination}."
    detail_ru = "Ваши права на перемещение товара не распространяются ни на {source}, ни на {destination}."
    members_schema = {"source": str, "destination": str}


class TransferElsewhere(Forbidden):
    code = "transfer-elsewhere"
    title = "This step belongs to the other end"
    title_ru = "Этот шаг делает другая сторона"
    detail = "Only {location} takes this step of transfer {number}: the source sends, the destination receives."
    detail_ru = "Этот шаг перемещения {number} делает только {location}: отправляет источник, принимает получатель."
    members_schema = {"number": str, "location": str}


class TransferWrongStep(Conflict):
    code = "transfer-wrong-step"
    title = "Not at this step"
    title_ru = "Этот шаг сейчас невозможен"
    detail = "Transfer {number} is {state}; this needs it to be one of: {needed}."
    detail_ru = "Состояние перемещения {number}: {state}; нужно одно из: {needed}."
    members_schema = {"number": str, "state": str, "needed": str}


class TransferOnItsWay(Conflict):
    code = "transfer-on-its-way"
    title = "The goods have left already"
    title_ru = "Товар уже отправлен"
    detail = "Transfer {number} is on its way and cannot be cancelled. Let the destination receive it, and send it back if need be."
    detail_ru = (
        "Перемещение {number} уже в пути, отменить его нельзя. Примите товар на месте и при необходимости верните."
    )
    members_schema = {"number": str}


class TransferServesOrder(Conflict):
    code = "transfer-serves-order"
    title = "The goods belong to an order"
    title_ru = "Товар предназначен для заказа"
    detail = "Transfer {number} carries goods of order {order_number}: its lines follow the order. Send less, or cancel it, with a reason."
    detail_ru = "Перемещение {number} везёт товар заказа {order_number}: строки задаёт заказ. Отправьте меньше или отмените его с причиной."
    members_schema = {"number": str, "order_number": str}


class TransferAwaitsGoods(Conflict):
    code = "transfer-awaits-goods"
    title = "Its goods are still expected at the source"
    title_ru = "Товар ещё не поступил на место отправления"
    detail = "Transfer {number} becomes ready by itself when the goods of its order have come in."
    detail_ru = "Перемещение {number} станет готовым само, когда поступит товар заказа."
    members_schema = {"number": str}


class TransferToItself(Unprocessable):
    code = "transfer-to-itself"
    title = "Source and destination are the same"
    title_ru = "Источник и получатель совпадают"
    detail = "{location} cannot send goods to itself. Name another destination."
    detail_ru = "{location} не может отправить товар самому себе. Укажите другое место назначения."
    members_schema = {"location": str}


class DestinationCannotReceive(Unprocessable):
    code = "destination-cannot-receive"
    title = "The destination receives no goods"
    title_ru = "Получатель не принимает товар"
    detail = "{location} takes no transfers now (`reason`: {reason}). Choose a location with the role `receives` that is open."
    detail_ru = (
        "{location} сейчас не принимает перемещения (`reason`: {reason}). Выберите открытое место с ролью `receives`."
    )
    members_schema = {"location": str, "reason": str}


class TransferInPast(Unprocessable):
    code = "transfer-in-past"
    title = "The expected date lies in the past"
    title_ru = "Ожидаемая дата уже прошла"
    detail = "{expected_on} is over at the destination, where it is {today}. Give that day or a later one."
    detail_ru = "{expected_on} в месте назначения уже прошло: там {today}. Укажите этот или более поздний день."
    members_schema = {"expected_on": str, "today": str}


class TransferTooFarOff(Unprocessable):
    code = "transfer-too-far-off"
    title = "The expected date is too far off"
    title_ru = "Ожидаемая дата слишком далеко"
    detail = "{expected_on} lies beyond {latest}: goods are planned for ten years ahead at most. Check the year."
    detail_ru = "{expected_on} позже {latest}: товар планируют не более чем на десять лет вперёд. Проверьте год."
    members_schema = {"expected_on": str, "latest": str}


class NotInTransfer(Unprocessable):
    code = "not-in-transfer"
    title = "Not part of this transfer"
    title_ru = "Этого нет в перемещении"
    each = "{sku} is on none of its lines."
    each_ru = "{sku} нет ни в одной строке."
    detail = "Name each line by one SKU or one barcode of the transfer; book other goods as found."
    detail_ru = "Указывайте каждую строку одним артикулом или одним штрихкодом из перемещения; прочий товар оприходуйте как найденный."
    members_schema = {"lines": list[SkuNamed]}


class TransferTooMuch(Unprocessable):
    code = "transfer-too-much"
    title = "More than one line can hold"
    title_ru = "Слишком много для одной строки"
    each = "{sku}: {quantity} units."
    each_ru = "{sku}: {quantity} шт."
    detail = "One line holds at most 1,000,000 units. Check the quantity, or make several transfers."
    detail_ru = "В одной строке не более 1 000 000 единиц. Проверьте количество или сделайте несколько перемещений."
    members_schema = {"lines": list[SkuUnits]}


class NotSetAside(Conflict):
    code = "transfer-goods-not-set-aside"
    title = "The goods are no longer set aside"
    title_ru = "Товар больше не отложен"
    each = "{sku}: {wanted} to send, {left} still set aside."
    each_ru = "{sku}: к отправке {wanted}, отложено ещё {left}."
    detail = (
        "A sale or a loss at the source took the rest. Send what there is, with a `short_reason` for what stays behind."
    )
    detail_ru = "Остальное продано или утрачено на месте отправления. Отправьте что есть, указав `short_reason` для оставшегося."
    members_schema = {"lines": list[SkuLeft]}


class DispatchedTooMany(Unprocessable):
    code = "dispatched-too-many"
    title = "More than was made ready"
    title_ru = "Больше, чем подготовлено"
    each = "{sku}: {wanted} named, {left} are ready."
    each_ru = "{sku}: указано {wanted}, подготовлено {left}."
    detail = "Only what is set aside for the transfer can leave with it."
    detail_ru = "Отправить можно только то, что отложено для перемещения."
    members_schema = {"lines": list[SkuLeft]}


class ShortReasonMissing(Unprocessable):
    code = "short-reason-missing"
    title = "Why does it stay behind?"
    title_ru = "Почему товар не отправлен?"
    each = "{quantity} of {sku} stay behind."
    each_ru = "{sku}: остаётся {quantity}."
    detail = "Give a `short_reason` for these lines, or for the whole dispatch."
    detail_ru = "Укажите `short_reason` для этих строк или для всей отправки."
    members_schema = {"lines": list[SkuUnits]}


class NothingLeaves(Unprocessable):
    code = "nothing-leaves"
    title = "Nothing would leave"
    title_ru = "Отправлять нечего"
    detail = "Transfer {number} would be dispatched empty. Cancel it instead."
    detail_ru = "Перемещение {number} ушло бы пустым. Отмените его."
    members_schema = {"number": str}


class DiscrepancyUnexplained(Unprocessable):
    code = "discrepancy-unexplained"
    title = "Why is it not what was sent?"
    title_ru = "Почему пришло не то, что отправлено?"
    each = "{sku}: {wanted} arrived or missing, {left} were on the way."
    each_ru = "{sku}: пришло или не хватает {wanted}, в пути было {left}."
    detail = "Units that are missing, and more than was sent, need a `reason` on their line. Count again if you are not sure."
    detail_ru = "Для недостающих единиц и для пришедших сверх отправленного укажите в строке `reason`. Если сомневаетесь, пересчитайте."
    members_schema = {"lines": list[SkuLeft]}


class MissingTooMany(Unprocessable):
    code = "missing-too-many"
    title = "More is missing than is on the way"
    title_ru = "Не хватает больше, чем в пути"
    each = "{sku}: {wanted} arrived or missing, {left} on the way."
    each_ru = "{sku}: пришло или не хватает {wanted}, в пути {left}."
    detail = "Only what was sent and has not arrived can be missing."
    detail_ru = "Не хватать может только того, что отправлено и ещё не пришло."
    members_schema = {"lines": list[SkuLeft]}


class NothingArrives(Unprocessable):
    code = "nothing-arrives"
    title = "Nothing is named that arrived"
    title_ru = "Не указано, что пришло"
    detail = "Name at least one unit of transfer {number} that arrived or is missing."
    detail_ru = "Укажите хотя бы одну единицу из перемещения {number}, которая пришла или которой не хватает."
    members_schema = {"number": str}
