"""By what the sources of an order are chosen: the rules as data, the plans made by them, and what would happen (a dry run)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from commerce import catalog, locations
from commerce.fulfillment import delivery, events, planning
from commerce.fulfillment.candidates import survey
from commerce.fulfillment.delivery import DeliveryOffer
from commerce.fulfillment.errors import BadDryRun, BadSourcingRules, SourcingRulesChanged
from commerce.fulfillment.schemas import Promise
from commerce.fulfillment.sourcing import DEFAULTS, Options, Plan, Reason, Rules, Scope, Tier, Tiers, Wanted, texts_of
from commerce.fulfillment.tables import plans
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.text import Code, Quantity, Sku

RULES = "SELECT id, scope, tiers, options, version FROM fulfillment.sourcing_rules"
RULES_OF = f"{RULES} WHERE scope = :scope"
LOCKED = f"{RULES_OF} FOR NO KEY UPDATE"
PUT = """
INSERT INTO fulfillment.sourcing_rules AS r (id, scope, tiers, options, version, changed_at)
VALUES (:id, :scope, CAST(:tiers AS jsonb), CAST(:options AS jsonb), 1, :at)
ON CONFLICT (scope) DO UPDATE SET tiers = excluded.tiers, options = excluded.options, version = r.version + 1,
    changed_at = excluded.changed_at
RETURNING id, version
"""
PLANS_OF = "SELECT n, scope, reason, plan, made_at FROM fulfillment.plans WHERE order_id = :order ORDER BY n"


class SetRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a scope: the whole of them. A tier decides only between plans that are equal by all tiers before it."""

    tiers: Tiers
    options: Options = Options()


class RulesView(Struct, frozen=True, kw_only=True):
    """The rules in force for a scope; version 0 are the ones that nobody has set."""

    scope: Scope
    tiers: list[Tier]
    options: Options
    version: int


class RulesList(Struct, frozen=True, kw_only=True):
    """The rules of every scope."""

    items: list[RulesView]


class StoredPlan(Struct, frozen=True, kw_only=True):
    """A plan as it was made for an order, and on what occasion."""

    n: int
    scope: Scope
    reason: str
    plan: Plan
    made_at: datetime


class DryRunLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of a SKU."""

    sku: Sku
    quantity: Quantity


class DeliveryPoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where goods are wanted, in millionths of a degree (WGS 84)."""

    latitude_e6: Annotated[int, Meta(ge=-90_000_000, le=90_000_000)]
    longitude_e6: Annotated[int, Meta(ge=-180_000_000, le=180_000_000)]


class DryRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order that nobody places: to be collected at a store, or brought to a point."""

    lines: Annotated[list[DryRunLine], Meta(min_length=1, max_length=100)]
    pickup: Code | None = None
    to: DeliveryPoint | None = None
    exclude: Annotated[list[Code], Meta(max_length=300)] = []
    """Locations that have turned it down."""


class ReasonView(Struct, frozen=True, kw_only=True):
    """Why, for programs and in words."""

    code: str
    members: dict[str, int | str]
    text: dict[str, str]


class AllocationView(Struct, frozen=True, kw_only=True):
    """Units that would come from a location, off the shelf or out of an announced delivery."""

    line: int
    """Number of the line, from 1."""
    sku: str
    location: str
    quantity: int
    expected_on: date | None
    reason: ReasonView


class UnfilledView(Struct, frozen=True, kw_only=True):
    """Units that no location can give."""

    line: int
    sku: str
    quantity: int


class RejectedView(Struct, frozen=True, kw_only=True):
    """A location that nothing would come from. `scores`: the plan's points by rule, had it given what it has."""

    location: str
    reason: ReasonView
    scores: dict[str, int]


class SourcingPlanView(Struct, frozen=True, kw_only=True):
    """A plan in words. `proven`: no other plan is better by these rules."""

    scope: Scope
    rules_version: int
    complete: bool
    proven: bool
    allocations: list[AllocationView]
    unfilled: list[UnfilledView]
    rejected: list[RejectedView]
    scores: dict[str, int]
    pickup: Promise | None
    """When all of it could be collected; null when it cannot, or is to be delivered."""
    deliveries: list[DeliveryOffer]
    """When each method would have brought all of it."""


def _rules(row: Row) -> Rules:
    return msgspec.convert({name: row[name] for name in ("scope", "tiers", "options", "version")}, Rules)


def _view(rules: Rules) -> RulesView:
    return RulesView(scope=rules.scope, tiers=list(rules.tiers), options=rules.options, version=rules.version)


async def rules_of(tx: Tx, scope: Scope) -> Rules:
    """The rules in force for a scope. One statement."""
    row = await tx.first(RULES_OF, scope=scope)
    return DEFAULTS[scope] if row is None else _rules(row)


async def listing(tx: Tx) -> RulesList:
    """The rules of every scope. One statement."""
    found = {row.scope: _rules(row) for row in await tx.rows(RULES)}
    return RulesList(items=[_view(found.get(scope, default)) for scope, default in DEFAULTS.items()])


async def set_rules(tx: Tx, actor: Actor, *, scope: Scope, command: SetRules, if_match: int | None = None) -> RulesView:
    """Choose by other rules from now on. The same again changes nothing. Raises BadSourcingRules, SourcingRulesChanged."""
    named = [entry.rule for tier in command.tiers for entry in tier]
    for rule in named:
        if named.count(rule) > 1:
            raise BadSourcingRules(rule=rule)
    row = await tx.first(LOCKED, scope=scope)
    before = DEFAULTS[scope] if row is None else _rules(row)
    if if_match is not None and if_match != before.version:
        raise SourcingRulesChanged(seen=if_match, version=before.version)
    after = Rules(scope=scope, tiers=command.tiers, options=command.options, version=before.version)
    if after == before:
        return _view(before)
    made = await tx.one(
        PUT, id=row.id if row else uuid7(), scope=scope, tiers=msgspec.json.encode(after.tiers).decode(),
        options=msgspec.json.encode(after.options).decode(), at=tx.at,
    )  # fmt: skip
    rules_id: UUID = made.id
    outbox.record(tx, actor, events.SourcingRulesSet(aggregate_id=rules_id, version=made.version, scope=scope))
    outbox.audit(
        tx, actor, "sourcing_rules.set", "sourcing_rules", scope,
        before=msgspec.to_builtins(before), after=msgspec.to_builtins(after),
    )  # fmt: skip
    return _view(msgspec.structs.replace(after, version=made.version))


def store_plan(tx: Tx, *, order_id: UUID, n: int, plan: Plan, reason: str) -> None:
    """Keep the `n`-th plan of an order with the occasion (`placed`, `rejected` …). Queued."""
    tx.queue(plans, order_id=order_id, n=n, scope=plan.scope, reason=reason, plan=plan, made_at=tx.at)


async def plans_of(tx: Tx, order_id: UUID) -> list[StoredPlan]:
    """The plans of an order, the first first. One statement."""
    return [
        StoredPlan(
            n=row.n, scope=row.scope, reason=row.reason, plan=msgspec.convert(row.plan, Plan), made_at=row.made_at
        )
        for row in await tx.rows(PLANS_OF, order=order_id)
    ]


async def dry_run(tx: Tx, *, command: DryRun) -> SourcingPlanView:
    """What would be planned for an order now, why, and when it would be there. Nothing is written.

    Raises BadDryRun, UnknownSku, UnknownLocation.
    """
    if (command.pickup is None) == (command.to is None):
        raise BadDryRun
    rules = await rules_of(tx, "delivery" if command.pickup is None else "pickup")
    variants = await catalog.by_skus(tx, [line.sku for line in command.lines])
    for line in command.lines:
        if line.sku not in variants:
            raise catalog.UnknownSku(sku=line.sku)
    named = dict.fromkeys([*command.exclude, *([command.pickup] if command.pickup else [])])
    places = await locations.by_codes(tx, list(named))
    for code in named:
        if code not in places:
            raise locations.UnknownLocation(location=code)
    wanted = [
        Wanted(
            line_id=UUID(int=n), variant_id=variants[line.sku].id, quantity=line.quantity,
            components=tuple((part.variant_id, part.quantity) for part in variants[line.sku].components),
        )
        for n, line in enumerate(command.lines, 1)
    ]  # fmt: skip
    methods = await delivery.methods(tx) if command.to else []
    seen = await survey(
        tx, wanted=wanted, rules=rules, pickup=places[command.pickup] if command.pickup else None,
        destination=(command.to.latitude_e6, command.to.longitude_e6) if command.to else None,
        exclude={places[code].id for code in command.exclude}, methods=methods if command.to else None,
        may_wait={variant.id for variant in variants.values() if variant.may_wait(tx.at)},
    )  # fmt: skip
    plan = planning.plan(wanted, seen.candidates, rules, at=tx.at)
    deliveries = [
        DeliveryOffer(method=method.code, promise=promise)
        for method in methods
        if (promise := None if plan.unfilled else seen.delivery_of(plan, method, tx.at)) is not None
    ]
    pickup = None if plan.unfilled else seen.promise_of(plan, tx.at)
    return _plan_view(plan, [line.sku for line in command.lines], pickup, deliveries)


def _reason(reason: Reason) -> ReasonView:
    return ReasonView(code=reason.code, members=reason.members, text=texts_of(reason))


def _plan_view(
    plan: Plan, skus: Sequence[str], pickup: Promise | None, deliveries: list[DeliveryOffer]
) -> SourcingPlanView:
    def line(values: Any) -> dict[str, Any]:
        n = values.line_id.int
        return {"line": n, "sku": skus[n - 1], "quantity": values.quantity}

    return SourcingPlanView(
        scope=plan.scope, rules_version=plan.rules_version, complete=plan.complete, proven=plan.proven,
        allocations=[
            AllocationView(
                **line(part), location=part.location, expected_on=part.expected_on, reason=_reason(part.reason)
            )
            for part in plan.allocations
        ],
        unfilled=[UnfilledView(**line(rest)) for rest in plan.unfilled],
        rejected=[
            RejectedView(location=entry.location, reason=_reason(entry.reason), scores=entry.scores)
            for entry in plan.rejected
        ],
        scores=plan.scores, pickup=pickup, deliveries=deliveries,
    )  # fmt: skip
