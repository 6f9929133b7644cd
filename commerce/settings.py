"""Settings of one deployment, read once from the environment by a composition root and passed in; never a global."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec

Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Networks from `10.0.0.0/8, 2001:db8::1`. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


class SettingsError(Exception):
    """A setting is missing or does not parse; the text names the variable and what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What may differ between deployments. Durations carry their unit in the name; money is in minor units."""

    database_url: str
    """`postgresql://user:password@host:port/name`, PostgreSQL 18 or newer."""
    redis_url: str
    """`redis://…` or `unix://…`, Valkey or Redis."""
    secret_key: str
    """At least 32 characters; signs access tokens and derives one-time and pickup codes. Changing it signs everybody out."""
    reader_url: str | None = None
    """A replica for `db.browse`; the primary when absent."""
    environment: Literal["development", "production", "test"] = "development"
    currency: str = "RUB"
    """ISO 4217; one per deployment."""
    host: str = "127.0.0.1"
    port: int = 8000
    api_workers: int = 2
    """Granian worker processes. Connections per process: `write_connections + read_connections`."""
    write_connections: int = 8
    read_connections: int = 8
    lock_timeout_ms: int = 2000
    statement_timeout_ms: int = 5000
    pool_wait_seconds: float = 2.0
    access_token_seconds: int = 600
    kiosk_idle_seconds: Annotated[int, msgspec.Meta(gt=0)] = 120
    """A shopper's session on a till or kiosk ends, and a kiosk's basket is forgotten, when nobody has touched it for so long."""
    staff_idle_seconds: Annotated[int, msgspec.Meta(gt=0)] = 300
    """The same for staff on a till or kiosk."""
    adjustment_approval_minor: Annotated[int, msgspec.Meta(ge=0)] = 1_000_000
    """An adjustment of stock by an associate that is worth more waits for a manager; minor units of `currency`."""
    count_tolerance_minor: Annotated[int, msgspec.Meta(ge=0)] = 0
    """A count whose variances are worth at most this together, at cost and without their signs, needs no manager; minor units of
    `currency`. 0: every variance does."""
    blind_return_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    """For goods brought back without order or receipt the lowest price of so many days is given, at most."""
    blind_return_most: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """More than this is not given back in one return without order or receipt, whoever approves it; minor units of `currency`. None: no
    limit."""
    cart_abandoned_minutes: Annotated[int, msgspec.Meta(ge=1)] = 60
    """A cart with lines that is idle for so long is told of as abandoned."""
    cart_merge_policy: Literal["sum", "keep_newest", "keep_account", "separate"] = "sum"
    """What merging does when the client names no policy."""
    show_quantities: bool = False
    """Shoppers see how many units there are; otherwise whether there are many, few (and then how many) or none, and in a cart or list
    whether there are as many as it asks for."""
    code_delivery_url: str | None = None
    """Where one-time codes are posted as JSON, `https://…`; required in production. The developer's log when absent."""
    code_delivery_secret: str | None = None
    """What that service knows us by: sent as a bearer token. At least 16 characters."""
    trusted_proxies: str = ""
    """Networks of the proxies in front, `10.0.0.0/8, 192.0.2.7`: from them alone `X-Forwarded-For` is believed."""
    rate_limits: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """A factor on all limits below; 0: none are kept. 100 in development, where one machine plays everybody, unless it is given."""
    limit_window_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60
    limit_address: Annotated[int, msgspec.Meta(ge=1)] = 600
    """Requests in a window from one address without a person or device: by a frontend's key, or without any."""
    limit_person: Annotated[int, msgspec.Meta(ge=1)] = 600
    """Of one shopper, anonymous or known."""
    limit_anonymous: Annotated[int, msgspec.Meta(ge=1)] = 6000
    """Of all shoppers of one address who have not signed in, so that tokens made in stock buy nothing."""
    limit_staff: Annotated[int, msgspec.Meta(ge=1)] = 3000
    """Of one member of staff, one till or kiosk."""
    limit_client: Annotated[int, msgspec.Meta(ge=1)] = 120_000
    """Of everybody who comes through one frontend."""
    limit_server: Annotated[int, msgspec.Meta(ge=1)] = 12_000
    """Of one server."""
    limit_sensitive_address: Annotated[int, msgspec.Meta(ge=1)] = 60
    """Of one address, for tokens and one-time codes."""
    limit_sensitive_client: Annotated[int, msgspec.Meta(ge=1)] = 6000
    """Through one client, for the same."""
    limit_session: Annotated[int, msgspec.Meta(ge=1)] = 20
    """Refreshes of one session."""
    limit_sessions_address: Annotated[int, msgspec.Meta(ge=1)] = 6000
    """Refreshes of all sessions of one address, which may be a mobile operator's."""
    log_level: str = "info"
    log_format: Literal["json", "console"] = "json"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the variables named in the README. Raises SettingsError with one sentence for the operator."""
        values: dict[str, object] = {}
        for field in msgspec.structs.fields(cls):
            raw = environ.get(field.name.upper())
            if raw is not None and raw != "":
                values[field.name] = raw
        environment = values.get("environment", "development")
        for required in ("database_url", "redis_url"):
            if required not in values:
                raise SettingsError(
                    f"{required.upper()} is not set. Give it, or use `commerce up`, which starts an embedded server."
                )
        if environment == "development":
            values.setdefault("rate_limits", 100)
        if "secret_key" not in values:
            if environment == "production":
                raise SettingsError(
                    "SECRET_KEY is not set. Production needs at least 32 random characters, kept secret."
                )
            values["secret_key"] = secrets.token_urlsafe(32)
        if len(str(values["secret_key"])) < 32:
            raise SettingsError("SECRET_KEY is too short: give at least 32 random characters.")
        _check_delivery(values, production=environment == "production")
        try:
            networks(str(values.get("trusted_proxies", "")))
        except ValueError as error:
            raise SettingsError(f"TRUSTED_PROXIES does not parse: {error}") from error
        try:
            return msgspec.convert(values, cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"A setting does not parse: {error}") from error


def _check_delivery(values: Mapping[str, object], *, production: bool) -> None:
    url, secret = values.get("code_delivery_url"), values.get("code_delivery_secret")
    if url is None:
        if production:
            raise SettingsError(
                "CODE_DELIVERY_URL is not set. Production needs the service that sends one-time codes; without it nobody can sign in."
            )
        return
    if not str(url).startswith(("https://", "http://")):
        raise SettingsError("CODE_DELIVERY_URL is no address: give https://… (or http://… within your own network).")
    if secret is None or len(str(secret)) < 16:
        raise SettingsError("CODE_DELIVERY_SECRET is missing or too short: give at least 16 characters.")


def default_data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the embedded servers keep their files: `DATA`, or `.data` in the current folder."""
    return Path(environ.get("DATA") or ".data").resolve()
