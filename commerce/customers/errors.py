"""Refusals of `customers`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import Conflict, NotFound, Stale, Unprocessable


class BadEmail(Unprocessable):
    code = "bad-email"
    title = "Not an e-mail address"
    title_ru = "Это не адрес электронной почты"
    detail = "Check the e-mail address: it needs a name, an @ and a domain, e.g. anna@example.com."
    detail_ru = "Проверьте адрес: нужны имя, @ и домен, например anna@example.com."


class BadPhone(Unprocessable):
    code = "bad-phone"
    title = "Not a phone number"
    title_ru = "Это не номер телефона"
    detail = "Check the phone number: give it with its country code, e.g. +79000000101."
    detail_ru = "Проверьте номер: укажите его с кодом страны, например +79000000101."


class OneIdentifier(Unprocessable):
    code = "one-identifier"
    title = "Give an e-mail or a phone"
    title_ru = "Укажите почту или телефон"
    detail = "Give exactly one of `email` and `phone`."
    detail_ru = "Укажите ровно одно из полей `email` и `phone`."


class ContactRequired(Unprocessable):
    code = "contact-required"
    title = "An e-mail or a phone is needed"
    title_ru = "Нужна почта или телефон"
    detail = "An account needs an `email`, a `phone` or both: it is how its owner signs in."
    detail_ru = "Для аккаунта нужны `email`, `phone` или оба: по ним владелец входит."


class EmailTaken(Conflict):
    code = "email-taken"
    title = "This e-mail has an account"
    title_ru = "С этой почтой уже есть аккаунт"
    detail = "Sign in with this e-mail, or give another one."
    detail_ru = "Войдите с этой почтой или укажите другую."


class PhoneTaken(Conflict):
    code = "phone-taken"
    title = "This phone has an account"
    title_ru = "С этим телефоном уже есть аккаунт"
    detail = "Sign in with this phone, or give another one."
    detail_ru = "Войдите с этим телефоном или укажите другой."


class AlreadySignedUp(Conflict):
    code = "already-signed-up"
    title = "This shopper has an account"
    title_ru = "У этого покупателя уже есть аккаунт"
    detail = "The token belongs to somebody who has signed up. Use the client's key to make another account."
    detail_ru = "Токен принадлежит уже зарегистрированному покупателю. Для нового аккаунта используйте ключ клиента."


class UnknownCustomer(NotFound):
    code = "unknown-customer"
    title = "No such customer"
    title_ru = "Нет такого покупателя"
    detail = "No customer is known by this e-mail or phone."
    detail_ru = "Покупателя с такой почтой или таким телефоном нет."


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
