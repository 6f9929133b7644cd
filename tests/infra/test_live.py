"""Live notices reach listeners of other processes, hold no memory, and may be lost without harm."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from commerce.infra.live import Crowded, Live
from commerce.settings import Settings


async def test_a_notice_crosses_processes_and_ends_at_closing(settings: Settings) -> None:
    here, there = Live(settings.redis_url), Live(settings.redis_url)
    await here.open()
    await there.open()
    with here.listen("cart:1") as event, here.listen("cart:2") as other:
        for _ in range(100):
            await there.publish("cart:1")
            if event.is_set():
                break
            await asyncio.sleep(0.02)
        assert event.is_set()
        await asyncio.sleep(0.1)
        event.clear()
        other.clear()
        for topic in ("cart:3", "cart:1", "cart:1"):
            await there.publish(topic)
        await asyncio.wait_for(event.wait(), 30)
        assert not other.is_set()
        event.clear()
        await here.close()
        assert event.is_set()
        assert here.closing.is_set()
    assert not here._listeners
    await there.close()


def test_a_topic_has_as_many_listeners_as_it_may() -> None:
    live = Live("redis://127.0.0.1:1")
    first, second = live.listen("cart", most=2), live.listen("cart", most=2)
    with pytest.raises(Crowded):
        live.listen("cart", most=2)
    with first:
        assert len(live._listeners["cart"]) == 2
    with first:
        pass
    third = live.listen("cart", most=2)
    del second, third
    assert live._listeners == {}


async def test_writers_go_on_when_valkey_is_away() -> None:
    away = Live("redis://127.0.0.1:1")
    await away.open()
    await away.publish("cart:1")
    assert await away.ping() is False
    await away.close()


async def test_a_stop_signal_ends_the_streams_beside_what_it_does_anyway(settings: Settings) -> None:
    live, heard = Live(settings.redis_url), list[int]()

    def already(number: int, _frame: object) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGTERM, already)
    try:
        with live.listen("cart") as changed:
            with live.stopped_by_signal():
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.wait_for(changed.wait(), 30)
            assert live.closing.is_set()
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is already
    finally:
        signal.signal(signal.SIGTERM, before)
        await live.close()
