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
    detail = "No customer is known by this e-mail, phone or id."
    detail_ru = "Покупателя с такой почтой, таким телефоном или id нет."


class StaleProfile(Stale):
    code = "stale-profile"
    title = "The profile has changed"
    title_ru = "Профиль изменился"
    detail = "The profile is at version {current_version} now. Read it again and repeat the change."
    detail_ru = "Профиль уже в версии {current_version}. Прочитайте его снова и повторите изменение."
    members_schema: ClassVar[dict[str, Any]] = {"current_version": int}
