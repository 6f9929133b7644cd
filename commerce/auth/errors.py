"""Refusals of `auth`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import Conflict, Forbidden, NotFound, TooMany, Unauthenticated, Unprocessable


class WrongPassword(Unauthenticated):
    """Kept: the attempt counter outlives the refusal. The same for an unknown login and a disabled one."""

    kept = True
    code = "wrong-password"
    title = "Wrong login or password"
    title_ru = "Неверный логин или пароль"
    detail = "Nobody is known by this login and password. After five wrong guesses it rests for a quarter of an hour."
    detail_ru = "Такого логина с таким паролем нет. После пяти неверных попыток вход закрыт на четверть часа."


class TooManyAttempts(TooMany):
    code = "too-many-attempts"
    title = "Too many wrong guesses"
    title_ru = "Слишком много неверных попыток"
    detail = (
        "This way of signing in rests after too many wrong passwords or codes. Try again after the time in Retry-After."
    )
    detail_ru = (
        "Этот способ входа временно закрыт из-за неверных паролей или кодов. Повторите через время из Retry-After."
    )


class TooManyCodes(TooMany):
    code = "too-many-codes"
    title = "A code was sent not long ago"
    title_ru = "Код уже отправлен"
    detail = (
        "Wait for the code that was sent: another one is sent after the time in Retry-After, at most five in an hour."
    )
    detail_ru = (
        "Дождитесь отправленного кода: новый можно запросить через время из Retry-After, не чаще пяти раз в час."
    )


class WrongCode(Unauthenticated):
    """Kept: the attempt counters outlive the refusal."""

    kept = True
    code = "wrong-code"
    title = "Wrong code"
    title_ru = "Неверный код"
    detail = "This is not the code that was sent last. So many attempts are left: {attempts_left}."
    detail_ru = "Это не тот код, который отправлен последним. Осталось попыток: {attempts_left}."
    members_schema: ClassVar[dict[str, Any]] = {"attempts_left": int}


class CodeOver(Unauthenticated):
    """The same for a code that never was, was used, has expired or was guessed at too often."""

    code = "code-over"
    title = "This code opens nothing any more"
    title_ru = "Этот код больше не действует"
    detail = "The code was used, has expired or was tried too often. Ask for another one."
    detail_ru = "Код уже использован, истёк или введён неверно слишком много раз. Запросите новый."


class RefreshTokenReused(Unauthenticated):
    """Kept: the revocation of the session outlives the refusal."""

    kept = True
    code = "refresh-token-reused"
    title = "This refresh token was used before"
    title_ru = "Этот refresh-токен уже использован"
    detail = "A refresh token works once. Somebody else may have a copy, so the session has been ended: sign in again."
    detail_ru = (
        "Refresh-токен действует один раз. Возможно, у кого-то есть его копия, поэтому сеанс завершён: войдите снова."
    )


class RefreshTokenInvalid(Unauthenticated):
    code = "refresh-token-invalid"
    title = "The session is over"
    title_ru = "Сеанс завершён"
    detail = "This refresh token belongs to no live session of this client or device. Sign in again."
    detail_ru = "Этот refresh-токен не относится к действующему сеансу этого клиента или устройства. Войдите снова."


class NotAtThisStore(Forbidden):
    code = "not-at-this-store"
    title = "No role at this device's store"
    title_ru = "Нет роли в магазине этого устройства"
    detail = "Your roles are for other locations than {location}, where this device stands. Sign in on a device of your own store."
    detail_ru = "Ваши роли относятся не к {location}, где стоит это устройство. Войдите на устройстве своего магазина."
    members_schema: ClassVar[dict[str, Any]] = {"location": str}


class MayNotGrant(Forbidden):
    code = "may-not-grant"
    title = "You may not decide about this role"
    title_ru = "Вы не вправе распоряжаться этой ролью"
    detail = "Nobody hands out or withdraws more than he holds: the role {role} at {location} is beyond yours."
    detail_ru = "Нельзя дать или отнять больше, чем имеешь сам: роль {role} в {location} вам не подвластна."
    members_schema: ClassVar[dict[str, Any]] = {"role": str, "location": str}


class NotYourLocation(Forbidden):
    code = "not-your-location"
    title = "Not your location"
    title_ru = "Не ваше место"
    detail = "Your permission does not reach {location} (* means all locations)."
    detail_ru = "Ваши права не распространяются на {location} (* — все места)."
    members_schema: ClassVar[dict[str, Any]] = {"location": str}


class CodeTaken(Conflict):
    code = "code-taken"
    title = "This code is taken"
    title_ru = "Этот код занят"
    detail = "{value} exists already. Choose another code; a revoked one is not used again."
    detail_ru = "{value} уже существует. Выберите другой код; отозванный код повторно не используется."
    members_schema: ClassVar[dict[str, Any]] = {"value": str}


class CodeReserved(Unprocessable):
    code = "code-reserved"
    title = "This code belongs to a store's counter"
    title_ru = "Такой код закреплён за прилавком магазина"
    detail = "Codes that begin with {prefix} name the counters of stores, which number their own receipts. Choose another code."
    detail_ru = "Коды, которые начинаются с {prefix}, обозначают прилавки магазинов с отдельной нумерацией чеков. Выберите другой код."
    members_schema: ClassVar[dict[str, Any]] = {"prefix": str}


class UnknownChannel(Unprocessable):
    code = "unknown-channel"
    title = "No such channel"
    title_ru = "Нет такого канала"
    detail = "There is no channel {channel}. `GET /v1/channels` lists them."
    detail_ru = "Канала {channel} нет. Список каналов: `GET /v1/channels`."
    members_schema: ClassVar[dict[str, Any]] = {"channel": str}


class UnknownStaff(NotFound):
    code = "unknown-staff"
    title = "No such member of staff"
    title_ru = "Нет такого сотрудника"
    detail = "Nobody of the staff signs in as {login}."
    detail_ru = "Сотрудника с логином {login} нет."
    members_schema: ClassVar[dict[str, Any]] = {"login": str}


class UnknownClient(NotFound):
    code = "unknown-client"
    title = "No such client"
    title_ru = "Нет такого клиента API"
    detail = "There is no API client {client}."
    detail_ru = "Клиента API {client} нет."
    members_schema: ClassVar[dict[str, Any]] = {"client": str}


class UnknownDevice(NotFound):
    code = "unknown-device"
    title = "No such device"
    title_ru = "Нет такого устройства"
    detail = "There is no device {device}."
    detail_ru = "Устройства {device} нет."
    members_schema: ClassVar[dict[str, Any]] = {"device": str}


class UnknownSession(NotFound):
    code = "unknown-session"
    title = "No such session"
    title_ru = "Нет такого сеанса"
    detail = "You have no live session of this id. `GET /v1/auth/sessions` lists yours."
    detail_ru = "У вас нет действующего сеанса с таким id. Ваши сеансы: `GET /v1/auth/sessions`."
