"""Refusals of `locations`."""

from __future__ import annotations

from commerce.kernel.errors import Conflict, Contradictory, Forbidden, Malformed, NotFound, Stale


class UnknownLocation(NotFound):
    code = "unknown-location"
    title = "No such location"
    title_ru = "Нет такого магазина или склада"
    detail = "There is no location with the code {location}. The codes are listed by GET /v1/locations."
    detail_ru = "Нет места с кодом {location}. Коды перечисляет GET /v1/locations."
    members_schema = {"location": str}


class LocationExists(Conflict):
    code = "location-exists"
    title = "The location exists already"
    title_ru = "Такое место уже есть"
    detail = "A location with the code {location} exists. Change it with PATCH /v1/locations/{location}."
    detail_ru = "Место с кодом {location} уже есть. Измените его через PATCH /v1/locations/{location}."
    members_schema = {"location": str}


class LocationChanged(Stale):
    code = "location-changed"
    title = "The location has changed since you read it"
    title_ru = "Данные места изменились"
    detail = "You saw version {seen}, now it is {version}. Read it again and repeat the change."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте данные снова и повторите изменение."
    members_schema = {"seen": int, "version": int}


class BadLocation(Contradictory):
    code = "bad-location"
    title = "These location data contradict themselves"
    title_ru = "Данные места противоречивы"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class BadNear(Malformed):
    code = "bad-near"
    title = "The point does not parse"
    title_ru = "Не удалось разобрать точку"
    detail = "Give `near` as latitude and longitude in degrees, e.g. near=55.7558,37.6173."
    detail_ru = "Передайте near как широту и долготу в градусах, например near=55.7558,37.6173."


class OtherLocation(Forbidden):
    code = "other-location"
    title = "Not your location"
    title_ru = "Чужое место"
    detail = "Your rights to change locations do not reach {location}."
    detail_ru = "Ваши права на изменение мест не распространяются на {location}."
    members_schema = {"location": str}
