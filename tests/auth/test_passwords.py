"""Hashes, keys and tokens, without a server."""

from __future__ import annotations

import msgspec
import pytest

from commerce.auth import passwords, tokens
from commerce.auth.schemas import RefreshSession, SignInStaff
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.support import clock

KEY = "k" * 32


async def test_right_wrong_and_absent(settings: Settings) -> None:
    stored = await passwords.hash_password(settings, "пароль-из-леса")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await passwords.verify(settings, stored, "пароль-из-леса") == passwords.Verified(True)
    assert await passwords.verify(settings, stored, "пароль из леса") == passwords.Verified(False)
    assert await passwords.verify(settings, None, "пароль-из-леса") == passwords.Verified(False)
    assert await passwords.verify(settings, "garbage", "пароль-из-леса") == passwords.Verified(False)


async def test_production_costs_and_hashes_anew_what_was_cheap(settings: Settings) -> None:
    production = msgspec.structs.replace(settings, environment="production")
    cheap = await passwords.hash_password(settings, "secret word")
    verified = await passwords.verify(production, cheap, "secret word")
    assert verified.right
    assert verified.rehashed is not None
    assert verified.rehashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.nobody("production").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.verify(production, None, "secret word") == passwords.Verified(False)


async def test_too_long_a_queue_is_busy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "LONGEST_QUEUE", 0)
    with pytest.raises(Busy):
        await passwords.verify(settings, None, "x")


def test_refresh_tokens_are_derived_and_not_forgeable() -> None:
    session = uuid7()
    token = tokens.refresh_token(KEY, session, 7)
    assert tokens.read_refresh_token(KEY, token) == (session, 7)
    assert tokens.read_refresh_token("x" * 32, token) is None
    for position in (3, 20, 40, 72):
        other = "A" if token[position] != "A" else "B"
        assert tokens.read_refresh_token(KEY, token[:position] + other + token[position + 1 :]) is None
    for text in ("", "rt_", token[3:], token + "A", " " + token, "rt_" + "я" * 70):
        assert tokens.read_refresh_token(KEY, text) is None


def test_access_token_carries_the_actor_and_grows_by_locations_once() -> None:
    shops = tuple(f"city-{n}" for n in range(50))
    actor = Actor(
        kind="staff", subject=uuid7(), channel="till", known=True, session=uuid7(), device=uuid7(), location="city-1",
        permissions={f"noun{n}.verb": shops for n in range(12)} | {"audit.read": ("*",)},
    )  # fmt: skip
    token = tokens.issue(actor, secret_key=KEY, at=clock(), seconds=60)
    read = tokens.read(token, secret_key=KEY, at=clock())
    assert read is not None
    assert read[0] == actor
    assert len(token) < 2_000
    assert tokens.read(token, secret_key="z" * 32, at=clock()) is None


def test_secrets_do_not_show() -> None:
    assert repr(SignInStaff(login="a", password="hush")) == "SignInStaff(...)"
    assert "hush" not in f"{RefreshSession(refresh_token='hush')}"


def test_derived_keys_differ_by_seed_and_server() -> None:
    one = tokens.derived_key(KEY, "pk", "seed")
    assert one == tokens.derived_key(KEY, "pk", "seed")
    assert len({one, tokens.derived_key(KEY, "pk", "other"), tokens.derived_key("y" * 32, "pk", "seed")}) == 3
