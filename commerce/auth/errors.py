"""Refusals of `auth`."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

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


class StaffShutOut(Conflict):
    code = "staff-shut-out"
    title = "This member of staff is shut out"
    title_ru = "Сотрудник отключён"
    detail = "{login} gets in with no password. Restore him, or invite him again."
    detail_ru = "{login} не войдёт ни с каким паролем. Верните доступ или пригласите снова."
    members_schema: ClassVar[dict[str, Any]] = {"login": str}


class UnknownClient(NotFound):
    code = "unknown-client"
    title = "No such client"
    title_ru = "Нет такого клиента API"
    detail = "There is no API client {client}."
    detail_ru = "Клиента API {client} нет."
    members_schema: ClassVar[dict[str, Any]] = {"client": str}


class UnknownKey(NotFound):
    code = "unknown-key"
    title = "No such key"
    title_ru = "Нет такого ключа"
    detail = "This client has no key {key}. `GET /v1/clients` lists the keys of each."
    detail_ru = "У этого клиента нет ключа {key}. Ключи клиентов: `GET /v1/clients`."
    members_schema: ClassVar[dict[str, Any]] = {"key": UUID}


class ClientRevoked(Conflict):
    code = "client-revoked"
    title = "This client is revoked"
    title_ru = "Этот клиент отозван"
    detail = "{client} has been revoked and gets no new keys. Create another client."
    detail_ru = "Клиент {client} отозван, новых ключей у него не будет. Создайте другого клиента."
    members_schema: ClassVar[dict[str, Any]] = {"client": str}


class TooManyKeys(Conflict):
    code = "too-many-keys"
    title = "Too many keys work at the same time"
    title_ru = "Слишком много действующих ключей"
    detail = (
        "{limit} keys of this client still work. Revoke those that nobody uses, or rotate with `overlap_seconds` 0."
    )
    detail_ru = "Ещё действуют {limit} ключей этого клиента. Отзовите лишние или замените ключ с `overlap_seconds` 0."
    members_schema: ClassVar[dict[str, Any]] = {"limit": int}


class NotForThisKind(Unprocessable):
    code = "not-for-this-kind"
    title = "Not for a client of this kind"
    title_ru = "Не для клиента этого вида"
    detail = "A client of kind {kind} has no {field}: scopes belong to servers, origins to frontends."
    detail_ru = "У клиента вида {kind} нет поля {field}: scopes бывают у серверов, origins — у фронтендов."
    members_schema: ClassVar[dict[str, Any]] = {"kind": str, "field": str}


class ScopeBeyondYours(Forbidden):
    code = "scope-beyond-yours"
    title = "You may not decide about this scope"
    title_ru = "Вы не вправе распоряжаться этим правом"
    detail = (
        "Nobody gives a client more than he holds: {permission} at {location} (* means all locations) is not yours."
    )
    detail_ru = (
        "Нельзя дать клиенту больше, чем имеешь сам: {permission} в {location} (* — все места) вам не принадлежит."
    )
    members_schema: ClassVar[dict[str, Any]] = {"permission": str, "location": str}


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


class UnknownRoles(Unprocessable):
    code = "unknown-roles"
    title = "No such roles"
    title_ru = "Нет таких ролей"
    detail = "There are no roles {roles}. `GET /v1/roles` lists them."
    detail_ru = "Ролей {roles} нет. Список ролей: `GET /v1/roles`."
    members_schema: ClassVar[dict[str, Any]] = {"roles": list[str]}


class UnknownRole(NotFound):
    code = "unknown-role"
    title = "No such role"
    title_ru = "Нет такой роли"
    detail = "There is no role {role}. `GET /v1/roles` lists them."
    detail_ru = "Роли {role} нет. Список ролей: `GET /v1/roles`."
    members_schema: ClassVar[dict[str, Any]] = {"role": str}


class UnknownPermission(Unprocessable):
    code = "unknown-permission"
    title = "No such permission"
    title_ru = "Нет такого права"
    detail = "There is no permission {permission}. `GET /v1/permissions` lists them."
    detail_ru = "Права {permission} нет. Список прав: `GET /v1/permissions`."
    members_schema: ClassVar[dict[str, Any]] = {"permission": str}


class PermissionNotHeld(Forbidden):
    code = "permission-not-held"
    title = "You do not hold this permission everywhere"
    title_ru = "У вас нет этого права во всей сети"
    detail = "A role may be given anywhere: only who holds {permission} for all locations puts it in or takes it out."
    detail_ru = (
        "Роль могут дать в любом месте: право {permission} добавляет и убирает тот, у кого оно есть во всей сети."
    )
    members_schema: ClassVar[dict[str, Any]] = {"permission": str}


class RoleKeepsPermission(Conflict):
    code = "role-keeps-permission"
    title = "This role keeps this permission"
    title_ru = "Это право у роли не отнять"
    detail = "{role} keeps {permission}: somebody must be able to put things right."
    detail_ru = "У роли {role} остаётся право {permission}: кто-то должен иметь возможность всё исправить."
    members_schema: ClassVar[dict[str, Any]] = {"role": str, "permission": str}


class RoleBuiltIn(Conflict):
    code = "role-built-in"
    title = "This role is built in"
    title_ru = "Это встроенная роль"
    detail = "{role} stays. Change what it may do, or make a role of your own."
    detail_ru = "Роль {role} удалить нельзя. Измените её права или заведите свою роль."
    members_schema: ClassVar[dict[str, Any]] = {"role": str}


class RoleInUse(Conflict):
    code = "role-in-use"
    title = "Somebody holds this role"
    title_ru = "Эта роль кому-то дана"
    detail = "Give the holders of {role}, and those invited to it, another role first."
    detail_ru = "Сначала дайте другую роль тем, у кого есть роль {role}, и тем, кто на неё приглашён."
    members_schema: ClassVar[dict[str, Any]] = {"role": str}


class UsePinOrBadge(Forbidden):
    code = "use-pin-or-badge"
    title = "Sign in here by PIN or badge"
    title_ru = "Войдите здесь по PIN-коду или пропуску"
    detail = "You have a PIN or a badge: use it on devices. The password is for the back office."
    detail_ru = "У вас есть PIN-код или пропуск: на кассах и киосках входят с ними. Пароль нужен для бэк-офиса."


class WrongPin(Unauthenticated):
    """Kept: the counters outlive the refusal. The same for an unknown login, a disabled one, and one without a PIN."""

    kept = True
    code = "wrong-pin"
    title = "Wrong login or PIN"
    title_ru = "Неверный логин или PIN-код"
    detail = "Nobody is known by this login and PIN. After five wrong guesses on a device, or fifteen a day, it rests."
    detail_ru = "Такого логина с таким PIN-кодом нет. После пяти неверных попыток на устройстве или пятнадцати за сутки вход закрыт."


class WrongBadge(Unauthenticated):
    """Kept: the device's counter outlives the refusal."""

    kept = True
    code = "wrong-badge"
    title = "This badge opens nothing"
    title_ru = "Этот пропуск не действует"
    detail = "The badge is not known, or was revoked. After ten such on a device it rests for a quarter of an hour."
    detail_ru = "Пропуск неизвестен или отозван. После десяти таких на одном устройстве вход закрыт на четверть часа."


class BadgeOrPin(Unprocessable):
    code = "badge-or-pin"
    title = "Either a badge, or login and PIN"
    title_ru = "Нужен пропуск либо логин с PIN-кодом"
    detail = "Send one of them, and all of it."
    detail_ru = "Передайте что-то одно и целиком."


class PinTooSimple(Unprocessable):
    code = "pin-too-simple"
    title = "This PIN is too easy to guess"
    title_ru = "Этот PIN-код слишком легко угадать"
    detail = "Neither one digit repeated nor a straight run up or down. Choose another."
    detail_ru = "Нельзя взять одну повторённую цифру или цифры подряд. Выберите другой."


class NotOfThisStore(NotFound):
    code = "not-of-this-store"
    title = "Not of the staff of this store"
    title_ru = "Не сотрудник этого магазина"
    detail = "{login} has no role at {location}."
    detail_ru = "У {login} нет роли в магазине {location}."
    members_schema: ClassVar[dict[str, Any]] = {"login": str, "location": str}


class BadgeTaken(Conflict):
    code = "badge-taken"
    title = "This badge is somebody's already"
    title_ru = "Этот пропуск уже выдан"
    detail = "A code is given once, also after its badge was revoked. Take another badge."
    detail_ru = "Код выдаётся один раз, даже если пропуск отозван. Возьмите другой пропуск."


class UnknownBadge(NotFound):
    code = "unknown-badge"
    title = "No such badge"
    title_ru = "Нет такого пропуска"
    detail = "{login} has no badge of this id."
    detail_ru = "У {login} нет пропуска с таким id."
    members_schema: ClassVar[dict[str, Any]] = {"login": str}


class ApprovalElsewhere(Forbidden):
    code = "approval-elsewhere"
    title = "Approvals are given on a device of the store"
    title_ru = "Подтверждают на устройстве магазина"
    detail = "Only staff who are signed in on a till or kiosk can have somebody approve in the same request."
    detail_ru = "Подтвердить в том же запросе можно только для сотрудника, вошедшего на кассе или киоске."


class WrongApproval(Forbidden):
    """Kept: the counters outlive the refusal."""

    kept = True
    code = "wrong-approval"
    title = "Nobody approves by this badge or PIN"
    title_ru = "С этим пропуском или PIN-кодом не подтвердить"
    detail = "It is not known, or was revoked. Nothing was done."
    detail_ru = "Он неизвестен или отозван. Ничего не сделано."


class OwnApproval(Forbidden):
    code = "own-approval"
    title = "Somebody else must approve"
    title_ru = "Подтвердить должен другой"
    detail = "Nobody approves what he does himself."
    detail_ru = "Нельзя подтвердить собственное действие."


class NotWhileActing(Forbidden):
    code = "not-while-acting"
    title = "These credentials act for a customer already"
    title_ru = "Эти права уже действуют от имени покупателя"
    detail = "Ask with your own credentials: what acts for one customer opens no other, and lasts no longer."
    detail_ru = "Запросите со своими правами: действующие от имени покупателя не открывают другого и не продлеваются."


class UnknownInvitation(NotFound):
    code = "unknown-invitation"
    title = "No such invitation"
    title_ru = "Нет такого приглашения"
    detail = "It was used, revoked or has expired, or never was. Ask for another."
    detail_ru = "Оно использовано, отозвано, просрочено или его не было. Попросите новое."


class PairingPending(Conflict):
    code = "pairing-pending"
    title = "Nobody has decided yet"
    title_ru = "Ещё никто не решил"
    detail = "A manager of the store types the code that the device shows. Ask again after the time in Retry-After."
    detail_ru = "Управляющий магазином вводит код с экрана устройства. Спросите снова через время из Retry-After."


class PairingDenied(Forbidden):
    code = "pairing-denied"
    title = "This device was sent away"
    title_ru = "Устройству отказано"
    detail = "A manager has denied it, or revoked it since. Begin again."
    detail_ru = "Управляющий отказал ему или уже отозвал его. Начните заново."


class PairingExpired(Conflict):
    code = "pairing-expired"
    title = "The code has expired"
    title_ru = "Код просрочен"
    detail = "It is good for ten minutes. Begin again."
    detail_ru = "Он действует десять минут. Начните заново."


class UnknownPairing(NotFound):
    code = "unknown-pairing"
    title = "No such pairing"
    title_ru = "Нет такого подключения"
    detail = "No device waits under this id with this secret."
    detail_ru = "Под этим id с таким секретом ничего не ждёт подключения."


class WrongUserCode(NotFound):
    """Kept: the counter outlives the refusal."""

    kept = True
    code = "wrong-user-code"
    title = "No device shows this code"
    title_ru = "Такого кода нет ни на одном устройстве"
    detail = "Look at the screen again: it is good for ten minutes and once. After five wrong ones it rests a quarter of an hour."
    detail_ru = "Взгляните на экран ещё раз: код действует десять минут и один раз. После пяти неверных — перерыв на четверть часа."


class WrongPass(Unauthenticated):
    """Kept: the device's counter outlives the refusal."""

    kept = True
    code = "wrong-pass"
    title = "This code opens nothing"
    title_ru = "Этот код не действует"
    detail = "It is good for two minutes and once. Ask for another on the telephone."
    detail_ru = "Он действует две минуты и один раз. Получите новый на телефоне."
