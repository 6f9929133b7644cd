"""Events: stable public names, ids and codes, never what belongs to a person."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from commerce import parts
from commerce.infra.tables import metadata
from commerce.kernel.events import Event
from tests.house.source import modules

PERSONAL_WORDS = {"name", "email", "phone", "address", "recipient", "contact", "note", "comment", "birthday", "login"}


def _events() -> list[type[Event]]:
    for module in modules():
        if module.file == "events":
            module.load()

    def below(kind: type[Event]) -> Iterator[type[Event]]:
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    return sorted(
        (kind for kind in below(Event) if kind.__module__.startswith("commerce.") and "type" in vars(kind)),
        key=lambda kind: kind.__name__,
    )


EVENTS = _events()


def test_types_are_unique() -> None:
    assert {name: n for name, n in Counter(event.type for event in EVENTS).items() if n > 1} == {}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_is_a_fact_without_personal_data(event: type[Event]) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.type), event.type
    assert re.fullmatch(r"[a-z_]+", event.aggregate)
    assert inspect.getdoc(event), "its own words, or those of its kind"
    assert event.__module__.endswith(".events"), "events of a room live in its events.py"
    personal = PERSONAL_WORDS | {
        column.name for table in metadata.tables.values() for column in table.columns if column.info.get("personal")
    }
    assert set(_fields(event)) & personal == set()


def _fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    import typing

    for name, hint in typing.get_type_hints(kind).items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        yield name
        for inner in (hint, *typing.get_args(hint)):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and inner is not kind:
                yield from _fields(inner)


def test_subscribers_are_unique_and_hear_events_that_exist() -> None:
    subscribers = parts.subscribers()
    names = Counter(subscriber.name for subscriber in subscribers)
    assert {name: n for name, n in names.items() if n > 1} == {}
    assert {subscriber.event for subscriber in subscribers} <= {event.type for event in EVENTS}


def test_invariants_are_numbered_as_the_design_numbers_them() -> None:
    """1 to 9 are the design's; 10 are a room's own."""
    invariants = parts.invariants()
    assert {invariant.number for invariant in invariants} <= set(range(1, 11))
    assert len({invariant.name for invariant in invariants}) == len(invariants)
