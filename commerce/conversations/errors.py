"""Refusals of `conversations`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import Conflict, Contradictory, Forbidden, NotFound, Stale, Unauthenticated, Unprocessable


class UnknownConversation(NotFound):
    code = "unknown-conversation"
    title = "No such conversation"
    title_ru = "Нет такого обращения"
    detail = "There is no conversation {number}. Check the number: it looks like Q-4821-3059-1768."
    detail_ru = "Обращения {number} нет. Проверьте номер: он выглядит как Q-4821-3059-1768."
    members_schema: ClassVar[dict[str, Any]] = {"number": str}


class OtherStoresConversation(Forbidden):
    code = "other-stores-conversation"
    title = "The conversation belongs to another store"
    title_ru = "Обращение другого магазина"
    detail = (
        "Conversation {number} concerns neither your stores nor your teams. Ask the call center to assign it to you."
    )
    detail_ru = "Обращение {number} не относится к вашим магазинам и командам. Попросите колл-центр назначить его вам."
    members_schema: ClassVar[dict[str, Any]] = {"number": str}


class StaleConversation(Stale):
    code = "stale-conversation"
    title = "The conversation has changed"
    title_ru = "Обращение изменилось"
    detail = "The conversation is at version {current_version} now. Read it again and repeat what is still to be done."
    detail_ru = "Обращение уже в версии {current_version}. Прочитайте его снова и повторите то, что ещё нужно."
    members_schema: ClassVar[dict[str, Any]] = {"current_version": int}


class ConversationClosed(Conflict):
    code = "conversation-closed"
    title = "The conversation is closed"
    title_ru = "Обращение закрыто"
    detail = "Conversation {number} is closed. Reopen it, or begin another one."
    detail_ru = "Обращение {number} закрыто. Откройте его снова или начните новое."
    members_schema: ClassVar[dict[str, Any]] = {"number": str}


class ConversationOpen(Conflict):
    code = "conversation-open"
    title = "The conversation is not closed"
    title_ru = "Обращение не закрыто"
    detail = "Only a closed conversation can be reopened; {number} is not."
    detail_ru = "Открыть снова можно только закрытое обращение, а {number} не закрыто."
    members_schema: ClassVar[dict[str, Any]] = {"number": str}


class ConversationJoinedAlready(Conflict):
    code = "conversation-joined"
    title = "The conversation was joined into another one"
    title_ru = "Обращение объединено с другим"
    detail = "{number} was joined into {into}: go on there."
    detail_ru = "{number} объединено с {into}: продолжайте там."
    members_schema: ClassVar[dict[str, Any]] = {"number": str, "into": str}


class JoinedIntoItself(Unprocessable):
    code = "joined-into-itself"
    title = "A conversation cannot be joined into itself"
    title_ru = "Обращение нельзя объединить с самим собой"
    detail = "Name another conversation in `into`."
    detail_ru = "Укажите в `into` другое обращение."


class DifferentPeople(Conflict):
    code = "different-people"
    title = "These conversations are of different people"
    title_ru = "Это обращения разных людей"
    detail = "Only one person's conversations are joined. If he is one, merge the two profiles first."
    detail_ru = "Объединяются обращения одного человека. Если это он же, сначала объедините профили."


class AnotherWaits(Conflict):
    code = "another-conversation-waits"
    title = "This customer waits there already"
    title_ru = "Этот покупатель там уже ждёт ответа"
    detail = "{number} of the same customer waits for an answer in this channel and team. Go on there, or join the two."
    detail_ru = "Обращение {number} этого покупателя уже ждёт ответа в этом канале и команде. Продолжайте там или объедините их."
    members_schema: ClassVar[dict[str, Any]] = {"number": str}


class OtherPersonsOrder(Conflict):
    code = "other-persons-order"
    title = "The order is somebody else's"
    title_ru = "Это заказ другого покупателя"
    detail = "Order {order} does not belong to the customer of this conversation."
    detail_ru = "Заказ {order} не принадлежит покупателю этого обращения."
    members_schema: ClassVar[dict[str, Any]] = {"order": str}


class CallBackNeedsPhone(Unprocessable):
    code = "call-back-needs-phone"
    title = "A phone is needed"
    title_ru = "Нужен телефон"
    detail = "Give the `phone` to call back; your profile has none."
    detail_ru = "Укажите `phone`, по которому перезвонить: в профиле его нет."


class FormNeedsContact(Unprocessable):
    code = "form-needs-contact"
    title = "An e-mail or a phone is needed"
    title_ru = "Нужна почта или телефон"
    detail = "Give an `email` or a `phone` for the answer; your profile has none."
    detail_ru = "Укажите `email` или `phone` для ответа: в профиле их нет."


class TextNeeded(Unprocessable):
    code = "text-needed"
    title = "Say what it is about"
    title_ru = "Напишите, о чём речь"
    detail = "Give the `text`: without it there is nothing to answer."
    detail_ru = "Заполните `text`: без него не на что отвечать."


class WrongMoment(Contradictory):
    code = "wrong-moment"
    title = "The moment does not fit"
    title_ru = "Время не подходит"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class OutcomeDetails(Contradictory):
    code = "outcome-details"
    title = "The outcome does not fit what came with it"
    title_ru = "Итог не согласуется с остальным"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class UnknownAssignee(NotFound):
    code = "unknown-assignee"
    title = "No such member of staff"
    title_ru = "Нет такого сотрудника"
    detail = "Nobody who works here signs in as {login}."
    detail_ru = "Никто из работающих здесь не входит как {login}."
    members_schema: ClassVar[dict[str, Any]] = {"login": str}


class NothingToAssign(Unprocessable):
    code = "nothing-to-assign"
    title = "Nothing to assign"
    title_ru = "Нечего назначать"
    detail = "Give at least one of `team`, `assignee`, `location` and `priority`."
    detail_ru = "Укажите хотя бы одно из `team`, `assignee`, `location`, `priority`."


class NothingToLink(Unprocessable):
    code = "nothing-to-link"
    title = "Nothing to link"
    title_ru = "Нечего связывать"
    detail = "Give a `customer`, an `order`, or both."
    detail_ru = "Укажите `customer`, `order` или оба."


class UnknownNextStep(NotFound):
    code = "unknown-next-step"
    title = "No such next step"
    title_ru = "Нет такого следующего шага"
    detail = "There is no next step {id}, or it is of another store."
    detail_ru = "Следующего шага {id} нет, или он другого магазина."
    members_schema: ClassVar[dict[str, Any]] = {"id": str}


class NextStepEnded(Conflict):
    code = "next-step-ended"
    title = "The next step has ended"
    title_ru = "Следующий шаг уже завершён"
    detail = "It is {state} already. Plan another one if something is still to be done."
    detail_ru = "Он уже завершён ({state}). Запланируйте новый, если ещё что-то нужно сделать."
    members_schema: ClassVar[dict[str, Any]] = {"state": str}


class UnknownTeam(NotFound):
    code = "unknown-team"
    title = "No such team"
    title_ru = "Нет такой команды"
    detail = "There is no team {team}."
    detail_ru = "Команды {team} нет."
    members_schema: ClassVar[dict[str, Any]] = {"team": str}


class StaleTeam(Stale):
    code = "stale-team"
    title = "The team has changed"
    title_ru = "Команда изменилась"
    detail = "The team is at version {current_version} now. Read it again and repeat the change."
    detail_ru = "Команда уже в версии {current_version}. Прочитайте её снова и повторите изменение."
    members_schema: ClassVar[dict[str, Any]] = {"current_version": int}


class ChannelHasTeam(Conflict):
    code = "channel-has-team"
    title = "Another team takes this channel"
    title_ru = "Этот канал ведёт другая команда"
    detail = "What comes by {channel} goes to {team}. Take it off there first."
    detail_ru = "Обращения из канала {channel} получает {team}. Сначала уберите канал там."
    members_schema: ClassVar[dict[str, Any]] = {"channel": str, "team": str}


class LocationHasTeam(Conflict):
    code = "location-has-team"
    title = "Another team is this location's own"
    title_ru = "У этого места уже есть своя команда"
    detail = "{location} has the team {team}. Change that one."
    detail_ru = "У {location} есть команда {team}. Измените её."
    members_schema: ClassVar[dict[str, Any]] = {"location": str, "team": str}


class UnknownSource(NotFound):
    code = "unknown-message-source"
    title = "No such source of messages"
    title_ru = "Нет такого источника сообщений"
    detail = "There is no source {source}."
    detail_ru = "Источника {source} нет."
    members_schema: ClassVar[dict[str, Any]] = {"source": str}


class SourceTaken(Conflict):
    code = "message-source-taken"
    title = "There is a source of this code"
    title_ru = "Источник с таким кодом уже есть"
    detail = "{source} exists, perhaps revoked: a code is never used again. Choose another one."
    detail_ru = "Источник {source} уже есть, возможно отозванный: код не используется повторно. Выберите другой."
    members_schema: ClassVar[dict[str, Any]] = {"source": str}


class SourceRevoked(Conflict):
    code = "message-source-revoked"
    title = "The source is revoked"
    title_ru = "Источник отозван"
    detail = "{source} was revoked for good. Make another source."
    detail_ru = "Источник {source} отозван навсегда. Создайте другой."
    members_schema: ClassVar[dict[str, Any]] = {"source": str}


class WrongSignature(Unauthenticated):
    code = "wrong-webhook-signature"
    title = "The webhook is not signed as it must be"
    title_ru = "Вебхук подписан неверно"
    detail = (
        "Sign `webhook-id.webhook-timestamp.body` by the Standard Webhooks rules with the source's present secret, and send it"
        " within five minutes. Nothing was written."
    )
    detail_ru = (
        "Подпишите `webhook-id.webhook-timestamp.body` по правилам Standard Webhooks действующим секретом источника и отправьте"
        " в течение пяти минут. Ничего не записано."
    )
