"""Structured logs: one line per fact, with the request id, never with a secret or personal data."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

import asyncpg
import structlog

from commerce.settings import Settings

SECRET_KEYS = {"password", "token", "secret", "authorization", "code", "key", "refresh_token", "secret_key"}


REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
"""The id of the request being answered; every line of the log carries it."""


def _request_id(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    request_id = REQUEST.get()
    if request_id is not None:
        event["request_id"] = request_id
    return event


def _redact(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in event:
        if key.lower() in SECRET_KEYS:
            event[key] = "***"
    return event


def _without_values(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The database says in the detail of an error which values broke a rule: names, telephones. The rule's name is enough."""
    told = event.get("exc_info")
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    seen: set[int] = set()
    while isinstance(error, BaseException) and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, asyncpg.PostgresError):
            error.detail = None
        error = error.__cause__ or error.__context__
    return event


def configure(settings: Settings) -> None:
    """Send all logs, the libraries' included, to standard error in the configured form."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        _request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _redact,
        _without_values,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # line and line end in one write: several processes share the stream
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
