"""What a log line never says."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import asyncpg
import pytest
import structlog
from structlog.stdlib import ProcessorFormatter

from commerce.infra import log
from commerce.infra.db import Database, Tx
from commerce.settings import Settings

PHONE = "+79000000101"
TWICE = """
INSERT INTO auth.attempts (identity, failures, first_at) VALUES (:said, 1, :at), (:said, 1, :at)
"""


@pytest.fixture
def configured(settings: Settings) -> Iterator[None]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    log.configure(settings)
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**before)


async def test_an_error_of_the_database_does_not_say_whose_values_broke_the_rule(
    db: Database, configured: None
) -> None:
    async def work(tx: Tx) -> None:
        await tx.execute(TWICE, said=PHONE, at=tx.at)

    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await db.write(work)
    assert PHONE in str(caught.value)
    wrapped = RuntimeError("a handler failed")
    wrapped.__cause__ = caught.value
    (handler,) = [one for one in logging.getLogger().handlers if isinstance(one.formatter, ProcessorFormatter)]
    record = logging.LogRecord("queue", logging.ERROR, __file__, 1, "failed", None, (type(wrapped), wrapped, None))
    line = handler.format(record)
    assert "pk_attempts" in line
    assert PHONE not in line
