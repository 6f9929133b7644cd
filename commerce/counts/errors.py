"""Refusals of `counts`."""

from __future__ import annotations

import msgspec

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable


class BeingCounted(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that another count of this location is counting."""

    sku: str
    count: str


class UnknownCount(NotFound):
    code = "unknown-count"
    title = "No such count"
    title_ru = "Нет такого пересчёта"
    detail = "There is no count {number}. Take the number from the store's list, e.g. C-4821-3059-1768."
    detail_ru = "Пересчёта {number} нет. Возьмите номер из списка магазина, например C-4821-3059-1768."
    members_schema = {"number": str}


class OtherStoresCount(Forbidden):
    code = "other-stores-count"
    title = "Another store's count"
    title_ru = "Пересчёт другого магазина"
    detail = "{number} belongs to another store; only that store's staff can work on it."
    detail_ru = "{number} относится к другому магазину; с ним работают только его сотрудники."
    members_schema = {"number": str}


class CountClosed(Conflict):
    code = "count-closed"
    title = "The count is closed"
    title_ru = "Пересчёт закрыт"
    detail = "Count {number} is {state} and never changes again. Open another count for these goods."
    detail_ru = "Пересчёт {number} завершён ({state}) и больше не меняется. Откройте новый пересчёт этих товаров."
    members_schema = {"number": str, "state": str}


class WrongCountStep(Conflict):
    code = "wrong-count-step"
    title = "Not at this step of the count"
    title_ru = "Этот шаг пересчёта сейчас невозможен"
    detail = "Count {number} is {state}; this step needs it to be one of: {needed}. Submit what was counted, or ask for a recount."
    detail_ru = "Состояние пересчёта {number}: {state}; нужно одно из: {needed}. Отправьте посчитанное или назначьте повторный счёт."
    members_schema = {"number": str, "state": str, "needed": str}


class CountChanged(Stale):
    code = "count-changed"
    title = "The count has changed since you saw it"
    title_ru = "Пересчёт изменился"
    detail = "You saw version {seen}, it is now {version}. Read it again, decide, and send its version in If-Match."
    detail_ru = "Вы видели версию {seen}, сейчас {version}. Прочитайте заново, решите и передайте версию в If-Match."
    members_schema = {"seen": int, "version": int}


class CountScope(Unprocessable):
    code = "count-scope"
    title = "The scope of the count is not complete"
    title_ru = "Область пересчёта указана не полностью"
    detail = "A {scope} needs {needed} and nothing else; count tasks can be added to any, and a list may consist of them alone."
    detail_ru = (
        "Для {scope} нужно {needed} и ничего больше; задания на пересчёт добавляются к любой области, "
        "список может состоять из них одних."
    )
    members_schema = {"scope": str, "needed": str}


class NothingToCount(Unprocessable):
    code = "nothing-to-count"
    title = "There is nothing to count"
    title_ru = "Пересчитывать нечего"
    detail = "Nothing of that scope has ever stood at {location}. Check the codes, or name the SKUs."
    detail_ru = "Ничего из этой области в {location} никогда не было. Проверьте коды или назовите артикулы."
    members_schema = {"location": str}


class TooMuchToCount(Unprocessable):
    code = "too-much-to-count"
    title = "Too much for one count"
    title_ru = "Слишком много для одного пересчёта"
    detail = "{variants} variants are in that scope; one count takes {most}. Count smaller categories or zones."
    detail_ru = "В этой области {variants} артикулов; в один пересчёт входит {most}. Пересчитывайте по частям."
    members_schema = {"variants": int, "most": int}


class UnknownInCount(Unprocessable):
    code = "unknown-in-count"
    title = "Not in the catalog"
    title_ru = "Нет в каталоге"
    detail = "Nothing was recorded: these are unknown: {unknown}. Scan them again, or give their SKUs."
    detail_ru = "Ничего не записано: неизвестны {unknown}. Отсканируйте ещё раз или укажите артикулы."
    members_schema = {"unknown": str}


class NotInCount(Unprocessable):
    code = "not-in-count"
    title = "Not part of this count"
    title_ru = "Не входит в этот пересчёт"
    detail = (
        "Nothing was recorded: these are not part of this count, or not of this round of it: {skus}. "
        "Leave them out, or open a count of their own."
    )
    detail_ru = (
        "Ничего не записано: не входят в этот пересчёт или в этот его круг: {skus}. "
        "Уберите их или откройте отдельный пересчёт."
    )
    members_schema = {"skus": str}


class BundleNotCounted(Unprocessable):
    code = "bundle-not-counted"
    title = "A bundle has no stock of its own"
    title_ru = "У набора нет собственного остатка"
    detail = "Count what they are made of instead: {skus}."
    detail_ru = "Посчитайте вместо наборов их состав: {skus}."
    members_schema = {"skus": str}


class AlreadyCounting(Conflict):
    code = "already-being-counted"
    title = "Another count is counting these goods"
    title_ru = "Эти товары уже пересчитываются"
    each = "{sku} is being counted in {count}."
    each_ru = "{sku} пересчитывается в {count}."
    detail = "See `lines`. Two counts of the same goods would book the same loss twice: finish or cancel the other one first."
    detail_ru = (
        "Смотрите `lines`. Два пересчёта одного товара спишут потерю дважды: сначала завершите или отмените другой."
    )
    members_schema = {"lines": list[BeingCounted]}


class WrongCountMoment(Unprocessable):
    code = "wrong-count-moment"
    title = "Counted outside of this round"
    title_ru = "Посчитано вне этого круга"
    detail = "This round runs from {since} until now, {until}. Check the clock of the scanner, and count again what is older."
    detail_ru = (
        "Этот круг идёт с {since} по текущий момент, {until}. Проверьте часы сканера; более старое посчитайте заново."
    )
    members_schema = {"since": str, "until": str}


class NotRecounted(Conflict):
    code = "not-recounted"
    title = "Not everything was counted again"
    title_ru = "Пересчитано повторно не всё"
    detail = "Still to be counted again: {skus}. Count them; 0 when nothing is there."
    detail_ru = "Осталось посчитать повторно: {skus}. Посчитайте; 0, если товара нет."
    members_schema = {"skus": str}


class NothingCounted(Conflict):
    code = "nothing-counted"
    title = "Nothing has been counted"
    title_ru = "Ещё ничего не посчитано"
    detail = "Count {number} has no entries. Enter what is there (0 when nothing is), or cancel it."
    detail_ru = "В пересчёте {number} нет записей. Внесите, что есть (0, если пусто), или отмените его."
    members_schema = {"number": str}


class UncountedLines(Conflict):
    code = "uncounted-lines"
    title = "Some goods were not counted"
    title_ru = "Часть товаров не посчитана"
    detail = (
        "{count} lines were never counted, among them {skus}. Decide with `uncounted`: `leave` them as the books have "
        "them, or take them to be `zero`."
    )
    detail_ru = (
        "Не посчитано строк: {count}, среди них {skus}. Решите в `uncounted`: `leave` — оставить по учёту, "
        "`zero` — принять за ноль."
    )
    members_schema = {"count": int, "skus": str}


class BlindCount(Forbidden):
    code = "blind-count"
    title = "A blind count"
    title_ru = "Слепой пересчёт"
    detail = "Counters of a blind count do not see what the books say, and so not where it differs. Ask a manager."
    detail_ru = "В слепом пересчёте считающие не видят учётных остатков и расхождений. Обратитесь к управляющему."


class UnknownCountTask(NotFound):
    code = "unknown-count-task"
    title = "No such count task"
    title_ru = "Нет такого задания на пересчёт"
    detail = "This store has no such count task. Take its id from the list of tasks."
    detail_ru = "В этом магазине нет такого задания. Возьмите id из списка заданий."


class CountTaskClosed(Conflict):
    code = "count-task-closed"
    title = "The count task is closed"
    title_ru = "Задание на пересчёт закрыто"
    detail = "It is {state} already: nothing is left to do."
    detail_ru = "Оно уже закрыто ({state}): ничего делать не нужно."
    members_schema = {"state": str}


class NotYourShrinkage(Forbidden):
    code = "not-your-shrinkage"
    title = "Not a location of yours"
    title_ru = "Не ваше место хранения"
    detail = "Your role shows you losses, but not those of {location}. Leave it out to see your own."
    detail_ru = "Ваша роль показывает потери, но не в {location}. Не указывайте место, чтобы увидеть свои."
    members_schema = {"location": str}


class BadPeriod(Unprocessable):
    code = "bad-period"
    title = "Not a period"
    title_ru = "Неверный период"
    detail = "`from` may not be later than `until`, and a report covers at most {days} days."
    detail_ru = "`from` не позже `until`; отчёт охватывает не больше {days} дней."
    members_schema = {"days": int}
