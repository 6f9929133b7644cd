"""Refusals of `customers`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable


class BadEmail(Unprocessable):
    code = "bad-email"
    title = "Not an e-mail address"
    title_ru = "Это не адрес электронной почты"
    detail = "Check the e-mail address in `{field}`: it needs a name, an @ and a domain, e.g. anna@example.com."
    detail_ru = "Проверьте адрес в `{field}`: нужны имя, @ и домен, например anna@example.com."
    members_schema: ClassVar[dict[str, Any]] = {"field": str}


class BadPhone(Unprocessable):
    code = "bad-phone"
    title = "Not a phone number"
    title_ru = "Это не номер телефона"
    detail = "Check the phone number in `{field}`: give it with its country code, e.g. +79000000101."
    detail_ru = "Проверьте номер в `{field}`: укажите его с кодом страны, например +79000000101."
    members_schema: ClassVar[dict[str, Any]] = {"field": str}


class OneIdentifier(Unprocessable):
    code = "one-identifier"
    title = "Give an e-mail or a phone"
    title_ru = "Укажите почту или телефон"
    detail = "Give exactly one of `email` and `phone`."
    detail_ru = "Укажите ровно одно из полей `email` и `phone`."


class OneCriterion(Unprocessable):
    code = "one-criterion"
    title = "Say what to look for"
    title_ru = "Укажите, кого искать"
    detail = "Give exactly one of `email`, `phone`, `loyalty_card`, `device`, `name`, `order`, or `external_id` together with its `system`."
    detail_ru = "Укажите ровно одно: `email`, `phone`, `loyalty_card`, `device`, `name`, `order` или `external_id` вместе с `system`."


class BadIdentifier(Unprocessable):
    code = "bad-identifier"
    title = "The identifier does not fit its kind"
    title_ru = "Идентификатор не соответствует виду"
    detail = "An `external` identifier names its `system`, the other kinds have none; {kind} was given otherwise."
    detail_ru = "У вида `external` указывается `system`, у остальных видов её нет; для {kind} задано иначе."
    members_schema: ClassVar[dict[str, Any]] = {"kind": str}


class IdentifierTaken(Conflict):
    code = "identifier-taken"
    title = "This identifier is another customer's"
    title_ru = "Этот идентификатор принадлежит другому покупателю"
    detail = "Another customer has this {kind}. Find him by it; merge the two when they are one person."
    detail_ru = (
        "Этот идентификатор ({kind}) уже у другого покупателя. Найдите его; если это один человек, объедините профили."
    )
    members_schema: ClassVar[dict[str, Any]] = {"kind": str}


class IdentifierElsewhere(Conflict):
    """Said only to somebody who has proved that the contact is his."""

    code = "identifier-elsewhere"
    title = "You have another account with this contact"
    title_ru = "С этим контактом у вас есть другой аккаунт"
    detail = "The {kind} is that of another account of yours. Send the same code with `merge: true` to make both one."
    detail_ru = (
        "Этот контакт ({kind}) у другого вашего аккаунта. Отправьте тот же код с `merge: true`, чтобы объединить их."
    )
    members_schema: ClassVar[dict[str, Any]] = {"kind": str}


class UnknownIdentifier(NotFound):
    code = "unknown-identifier"
    title = "No such identifier"
    title_ru = "Нет такого идентификатора"
    detail = "This customer has no identifier of this id."
    detail_ru = "У этого покупателя нет идентификатора с таким id."


class LastContact(Conflict):
    code = "last-contact"
    title = "It is the only way to sign in"
    title_ru = "Это единственный способ входа"
    detail = "The last verified phone or e-mail stays: add another one first."
    detail_ru = "Последний подтверждённый телефон или почту удалить нельзя: сначала добавьте другой контакт."


class TooManyIdentifiers(Conflict):
    code = "too-many-identifiers"
    title = "Too many identifiers"
    title_ru = "Слишком много идентификаторов"
    detail = "A customer has at most {limit} of them. Remove one that is out of use first."
    detail_ru = "У покупателя может быть не больше {limit}. Сначала удалите ненужный."
    members_schema: ClassVar[dict[str, Any]] = {"limit": int}


class ProofRequired(Forbidden):
    code = "proof-required"
    title = "Prove once more that it is you"
    title_ru = "Подтвердите ещё раз, что это вы"
    detail = "Give `current_password`, or sign in by a one-time code and do it within ten minutes."
    detail_ru = "Передайте `current_password` или войдите по одноразовому коду и повторите в течение десяти минут."


class FreshCodeRequired(Forbidden):
    code = "fresh-code-required"
    title = "Prove by a code that it is you"
    title_ru = "Подтвердите кодом, что это вы"
    detail = (
        "Whoever takes a contact away shuts its owner out: sign in by a one-time code and do it within ten minutes."
    )
    detail_ru = "Удаление контакта закрывает вход его владельцу: войдите по одноразовому коду и повторите в течение десяти минут."


class FreshProofRequired(Forbidden):
    code = "fresh-proof-required"
    title = "Sign in again first"
    title_ru = "Сначала войдите ещё раз"
    detail = (
        "A contact opens the account: its owner signs in by a code or his password, and adds it within ten minutes."
    )
    detail_ru = "Контакт открывает вход в аккаунт: войдите по коду или паролю и добавьте его в течение десяти минут."


class OwnerOnly(Forbidden):
    code = "owner-only"
    title = "Only the customer himself may do this"
    title_ru = "Это может только сам покупатель"
    detail = "Nobody sets or removes a password on behalf of a customer."
    detail_ru = "Задать или удалить пароль от имени покупателя нельзя."


class AlreadySignedUp(Conflict):
    code = "already-signed-up"
    title = "This shopper has an account"
    title_ru = "У этого покупателя уже есть аккаунт"
    detail = "The token belongs to somebody who has an account. Add the contact to it with `POST /v1/me/identifiers`."
    detail_ru = "Токен принадлежит покупателю с аккаунтом. Добавьте к нему контакт через `POST /v1/me/identifiers`."


class UnknownCustomer(NotFound):
    code = "unknown-customer"
    title = "No such customer"
    title_ru = "Нет такого покупателя"
    detail = "There is no such customer, or his data were erased."
    detail_ru = "Такого покупателя нет, или его данные удалены."


class MergeIntoItself(Unprocessable):
    code = "merge-into-itself"
    title = "Nobody is merged into himself"
    title_ru = "Профиль нельзя объединить с самим собой"
    detail = "Name two different customers."
    detail_ru = "Укажите двух разных покупателей."


class AlreadyMerged(Conflict):
    code = "already-merged"
    title = "This profile is part of another one"
    title_ru = "Этот профиль уже присоединён к другому"
    detail = "{customer} was merged into {merged_into}. Merge with that one, or undo it first."
    detail_ru = "Профиль {customer} присоединён к {merged_into}. Объединяйте с ним или сначала отмените объединение."
    members_schema: ClassVar[dict[str, Any]] = {"customer": str, "merged_into": str}


class NotMerged(Conflict):
    code = "not-merged"
    title = "This profile is merged into none"
    title_ru = "Этот профиль ни к кому не присоединён"
    detail = "There is no merge of {customer} to undo."
    detail_ru = "У профиля {customer} нет объединения, которое можно отменить."
    members_schema: ClassVar[dict[str, Any]] = {"customer": str}


class GuestCannotWin(Conflict):
    code = "guest-cannot-win"
    title = "An account is not merged into a guest"
    title_ru = "Аккаунт нельзя присоединить к профилю гостя"
    detail = "Merge the guest into the account: name the guest as `loser`."
    detail_ru = "Присоедините гостя к аккаунту: укажите гостя в `loser`."


class StaleProfile(Stale):
    code = "stale-profile"
    title = "The profile has changed"
    title_ru = "Профиль изменился"
    detail = "The profile is at version {current_version} now. Read it again and repeat the change."
    detail_ru = "Профиль уже в версии {current_version}. Прочитайте его снова и повторите изменение."
    members_schema: ClassVar[dict[str, Any]] = {"current_version": int}


class BadBirthday(Unprocessable):
    code = "bad-birthday"
    title = "Nobody was born then"
    title_ru = "Такой даты рождения не бывает"
    detail = "Give a birthday between 1900-01-01 and today."
    detail_ru = "Укажите дату рождения от 1900-01-01 до сегодняшнего дня."


class BadPreferences(Unprocessable):
    code = "bad-preferences"
    title = "The preferences contradict themselves"
    title_ru = "Предпочтения противоречат друг другу"
    detail = "The channel liked best, {channel}, is among those that are not wanted. Take it off one of them."
    detail_ru = "Предпочтительный канал {channel} указан и среди нежелательных. Уберите его из одного из них."
    members_schema: ClassVar[dict[str, Any]] = {"channel": str}


class UnknownAddressOfCustomer(NotFound):
    code = "unknown-customer-address"
    title = "No such address"
    title_ru = "Нет такого адреса"
    detail = "This person has no address with this id."
    detail_ru = "У этого покупателя нет адреса с таким номером."


class StaleAddress(Stale):
    code = "stale-address"
    title = "The address has changed"
    title_ru = "Адрес изменился"
    detail = "The address is at version {current_version} now. Read it again and repeat the change."
    detail_ru = "Адрес уже в версии {current_version}. Прочитайте его снова и повторите изменение."
    members_schema: ClassVar[dict[str, Any]] = {"current_version": int}


class TooManyAddresses(Conflict):
    code = "too-many-addresses"
    title = "Too many addresses"
    title_ru = "Слишком много адресов"
    detail = "A person keeps at most {maximum} addresses. Remove one first."
    detail_ru = "Можно хранить не больше {maximum} адресов. Сначала удалите один."
    members_schema: ClassVar[dict[str, Any]] = {"maximum": int}


class RepeatedConsent(Unprocessable):
    code = "repeated-consent"
    title = "Named twice"
    title_ru = "Указано дважды"
    detail = "{purpose} by {channel} is named more than once. Name each channel and purpose once."
    detail_ru = "Согласие {purpose} для канала {channel} указано несколько раз. Укажите каждое один раз."
    members_schema: ClassVar[dict[str, Any]] = {"channel": str, "purpose": str}


class EmptyTouch(Unprocessable):
    code = "empty-touch"
    title = "Nothing is said"
    title_ru = "Ничего не указано"
    detail = "Say at least one thing about what brought the shopper here."
    detail_ru = "Укажите хотя бы что-то о том, откуда пришёл покупатель."
