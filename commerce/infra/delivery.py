"""The way out for one-time codes: a service of the retailer's that writes to telephones and mailboxes, or the developer's log.

What is sent has left: it is called after the commit, with no transaction open. Nothing here is ever logged in production.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import httpx
import msgspec
import structlog

from commerce.kernel.errors import Busy
from commerce.settings import Settings, SettingsError

log = structlog.get_logger()

SECONDS = 5.0
"""How long the other side may take."""


class DeliveryFailed(Busy):
    code = "delivery-failed"
    title = "The message could not be sent"
    title_ru = "Сообщение не отправлено"
    detail = "The service that sends messages did not take it. Ask for the code again."
    detail_ru = "Служба отправки сообщений не приняла его. Запросите код ещё раз."


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time code for somebody: the words are the sender's, by template and language."""

    to: str
    kind: str
    """`phone` or `email`"""
    template: str
    """`sign_in` or `verify`"""
    code: str
    language: str

    def __repr__(self) -> str:
        return f"Message(kind={self.kind}, template={self.template})"


class Post(ABC):
    """Sends messages."""

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Hand a message on. Raises DeliveryFailed."""

    async def close(self) -> None:  # noqa: B027 - who holds no connections has nothing to let go
        """Let go of connections."""


class DeveloperLog(Post):
    """Writes the code into the log, so that a developer can go on."""

    async def send(self, message: Message) -> None:
        """One line of the log."""
        log.info("code.sent", kind=message.kind, to=message.to, template=message.template, one_time_code=message.code)


class HttpPost(Post):
    """Posts `{to, kind, template, code, language}` to an address of the retailer's, with a secret in `Authorization`."""

    def __init__(self, url: str, secret: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {secret}"}, timeout=SECONDS, transport=transport, follow_redirects=False
        )

    async def send(self, message: Message) -> None:
        """One request; any answer but 2xx is a failure. Neither the address nor the code gets into the log."""
        try:
            answer = await self._client.post(
                self._url, content=msgspec.json.encode(message), headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            log.warning("code.not_sent", kind=message.kind, failure=type(error).__name__)
            raise DeliveryFailed(retry_after_seconds=1) from error
        if not answer.is_success:
            log.warning("code.not_sent", kind=message.kind, failure=answer.status_code)
            raise DeliveryFailed(retry_after_seconds=1)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def post_of(settings: Settings) -> Post:
    """The way out of a deployment. Raises SettingsError when production has none."""
    if settings.code_delivery_url is not None and settings.code_delivery_secret is not None:
        return HttpPost(settings.code_delivery_url, settings.code_delivery_secret)
    if settings.environment == "production" or settings.code_delivery_url is not None:
        raise SettingsError(
            "CODE_DELIVERY_URL and CODE_DELIVERY_SECRET are not set. Without the service that sends one-time codes nobody can sign in."
        )
    return DeveloperLog()
