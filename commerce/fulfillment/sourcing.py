"""What is asked of the planner and what it answers: demand, candidates and rules; a plan with a reason for each choice, in words too.

`planning.plan` makes the one of the other, in three steps: `offers` turns the question into numbers, `search` finds the best set of
locations, `planning` deals the units out and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

Scope = Literal["pickup", "delivery"]
RuleName = Literal[
    "fewest_parcels", "nearest", "priority", "cost", "capacity_left", "keep_safety", "spare_busy", "clear_old_stock", "has_all",
]  # fmt: skip


class Weighted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule and how much one point of it weighs against the other rules of its tier.

    Points: `fewest_parcels` 1 a parcel; `nearest` 1 per metre and unit; `priority` the location's place in the order, per unit;
    `cost` 1 per minor unit of money a parcel; `capacity_left` 1000 ÷ parcels left today, a parcel; `keep_safety` 1 per unit of
    safety stock; `spare_busy` 1 per location in its busy hours; `clear_old_stock` 1 per unit and day that it is younger than the
    oldest to be had; `has_all` 1 per location used that does not have everything.
    """

    rule: RuleName
    weight: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


Tier = Annotated[tuple[Weighted, ...], Meta(min_length=1, max_length=9)]
Tiers = Annotated[tuple[Tier, ...], Meta(max_length=9)]


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done."""

    after_rejection: Literal["resource", "ask"] = "resource"
    """When a store cannot do it: look for another source, or ask the customer."""
    attempts: Annotated[int, Meta(ge=1, le=5)] = 3
    """Plans made anew while others take the units first."""
    may_use_safety: bool = False
    """Whether safety stock may be sold; the rule `keep_safety` then only prefers others."""
    from_inbound: bool = True
    """Whether variants that may wait are promised from what is announced."""
    split_lines: bool = True
    """Whether one line may come from several locations."""


class Rules(Struct, frozen=True, kw_only=True):
    """By what sources are chosen. Version 0: the code's own."""

    scope: Scope
    tiers: tuple[tuple[Weighted, ...], ...]
    options: Options = Options()
    version: int = 0


class Wanted(Struct, frozen=True, kw_only=True):
    """So many units of a line. A bundle names its components and how many of each are in one unit."""

    line_id: UUID
    variant_id: UUID
    quantity: int
    components: tuple[tuple[UUID, int], ...] = ()


class Supply(Struct, frozen=True):
    """What a location has of a variant: units on the shelf that are promised to nobody, how many of them are safety stock, and for
    how many days the oldest have lain there."""

    available: int
    safety: int = 0
    oldest_days: int = 0


class Inbound(Struct, frozen=True):
    """Units of an announced delivery that are promised to nobody."""

    expected_id: UUID
    on: date
    free: int


class Candidate(Struct, frozen=True, kw_only=True):
    """A location that may be a source, or `refusal`: why it may not. The lowest `priority` is asked first."""

    location_id: UUID
    code: str
    refusal: str | None = None
    stock: Mapping[UUID, Supply] = {}
    inbound: Mapping[UUID, Sequence[Inbound]] = {}
    """Only of variants that may wait, the soonest first."""
    distance_metres: int = 0
    priority: int = 0
    cost: int = 0
    """Of one parcel, in minor units."""
    capacity_left: int | None = None
    """Parcels that it can still prepare today; None: no limit."""
    busy: bool = False
    is_pickup: bool = False
    """The pickup store itself: nothing is sent."""


class Reason(Struct, frozen=True):
    """Why, for programs: `code` and `members`; `texts_of` says it in words."""

    code: str
    members: dict[str, int | str] = {}


class Allocation(Struct, frozen=True, kw_only=True):
    """Units of a line from a location, off the shelf or out of an announced delivery."""

    location_id: UUID
    location: str
    line_id: UUID
    quantity: int
    expected_id: UUID | None = None
    expected_on: date | None = None
    reason: Reason


class Unfilled(Struct, frozen=True, kw_only=True):
    """Units of a line that no location can give."""

    line_id: UUID
    quantity: int


class Rejected(Struct, frozen=True, kw_only=True):
    """A location that nothing comes from. `scores`: the plan's points by rule, had it given what it has."""

    location_id: UUID
    location: str
    reason: Reason
    scores: dict[str, int] = {}


class Plan(Struct, frozen=True, kw_only=True):
    """What comes from where and why. `proven`: no other plan is better by these rules."""

    scope: Scope
    rules_version: int
    at: datetime
    allocations: tuple[Allocation, ...]
    unfilled: tuple[Unfilled, ...]
    rejected: tuple[Rejected, ...]
    scores: dict[str, int]
    proven: bool

    @property
    def complete(self) -> bool:
        """Whether every unit has its source."""
        return not self.unfilled


DEFAULTS: dict[Scope, Rules] = {
    "pickup": Rules(
        scope="pickup",
        tiers=(
            (Weighted(rule="fewest_parcels"),),
            (Weighted(rule="spare_busy"),),
            (Weighted(rule="priority"),),
            (Weighted(rule="nearest"),),
            (Weighted(rule="capacity_left"),),
        ),
    ),
    "delivery": Rules(
        scope="delivery",
        tiers=(
            (Weighted(rule="fewest_parcels"),),
            (Weighted(rule="spare_busy"),),
            (Weighted(rule="priority"),),
            (Weighted(rule="nearest"),),
            (Weighted(rule="capacity_left"),),
        ),
    ),
}
RULE_TEXTS: dict[str, tuple[str, str]] = {
    "fewest_parcels": ("число отправлений", "number of parcels"),
    "nearest": ("расстояние (метры × штуки)", "distance (metres × units)"),
    "priority": ("очерёдность источника (× штуки)", "place in the order of sources (× units)"),
    "cost": ("стоимость отправлений (в копейках)", "cost of the parcels (in minor units)"),
    "capacity_left": ("загрузка на сегодня", "scarcity of today's capacity"),
    "keep_safety": ("штук из страхового запаса", "units of safety stock"),
    "spare_busy": ("магазинов в часы наплыва", "stores in their busy hours"),
    "clear_old_stock": ("свежесть товара (дни × штуки)", "freshness of the goods (days × units)"),
    "has_all": ("источников без полного набора", "sources that do not have everything"),
    "waiting": ("штук под заказ", "units that must wait"),
    "waiting_days": ("дней ожидания (× штуки)", "days of waiting (× units)"),
    "unfilled": ("штук без источника", "units without a source"),
    "locations": ("число источников", "number of sources"),
}
"""Rule -> its name, ru and en."""
TEXTS: dict[str, tuple[str, str]] = {
    "at_pickup": ("Лежит в самом пункте выдачи.", "It lies in the pickup store itself."),
    "expected": (
        "На полке нет ни у кого; ожидается здесь {on}.",
        "Nobody has it on the shelf; it is expected here on {on}.",
    ),
    "has_all": ("Здесь есть всё сразу.", "It has everything at once."),
    "only_here": ("Больше ни у кого нет.", "Nobody else has it."),
    "better": (
        "Лучше, чем {other}: {rule} — {mine} против {theirs}.",
        "Better than {other}: {rule} {mine} against {theirs}.",
    ),
    "equal": (
        "Не хуже, чем {other}; выбран первый по коду.",
        "As good as {other}; the first by code was taken.",
    ),
    "rest": ("Даёт то, чего не хватает остальным.", "It gives what the others lack."),
    "worse": (
        "Хуже по правилу «{rule}»: {theirs} вместо {mine}.",
        "It loses by “{rule}”: {theirs} instead of {mine}.",
    ),
    "later": ("Не хуже выбранного, но дальше по коду.", "As good as what was chosen, but later by code."),
    "not_searched": (
        "Источников слишком много, чтобы проверить все сочетания.",
        "There are too many sources to try all combinations.",
    ),
    "has_nothing": ("Нет ничего, что помогло бы.", "It has nothing that would help."),
    "safety_only": ("Остался только страховой запас.", "Only its safety stock is left."),
    "no_capacity": ("На сегодня мощности исчерпаны.", "It has no capacity left today."),
    "no_role": ("Не отправляет товары.", "It does not send goods."),
    "not_open_yet": ("Ещё не открыт.", "It is not open yet."),
    "closed": ("Закрыт насовсем.", "It is closed for good."),
    "paused": ("Приостановлен.", "It is paused."),
    "excluded": ("Уже отказался от этого заказа.", "It has turned this order down."),
    "out_of_reach": ("Доставка сюда не достаёт.", "No delivery reaches that far."),
}
"""Code -> what it says, ru and en."""


def texts_of(reason: Reason) -> dict[str, str]:
    """A reason in words."""
    templates = TEXTS[reason.code]
    said = {}
    for n, language in enumerate(("ru", "en")):
        members = dict(reason.members)
        if "rule" in members:
            members["rule"] = RULE_TEXTS[str(members["rule"])][n]
        said[language] = templates[n].format(**members)
    return said
