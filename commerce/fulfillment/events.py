"""What `fulfillment` publishes: one fact for each version of a fulfillment."""

from __future__ import annotations

from uuid import UUID

from commerce.kernel.events import Event


class FulfillmentEvent(Event, frozen=True, kw_only=True):
    """What every fact of a fulfillment names."""

    aggregate = "fulfillment"
    number: str
    order_id: UUID
    location_id: UUID


class FulfillmentOpened(FulfillmentEvent, frozen=True, kw_only=True):
    """A store has goods to prepare."""

    type = "fulfillment.opened"


class FulfillmentGoodsArrived(FulfillmentEvent, frozen=True, kw_only=True):
    """Goods that a fulfillment was waiting for have come nearer; `state` says whether the store can begin."""

    type = "fulfillment.goods_arrived"
    state: str


class FulfillmentRejected(FulfillmentEvent, frozen=True, kw_only=True):
    """The store cannot do it; what was outstanding passes to another fulfillment, or the customer is asked."""

    type = "fulfillment.rejected"
    reason: str
    units: dict[str, int]


class FulfillmentPassedOn(FulfillmentEvent, frozen=True, kw_only=True):
    """Units that it waited for do not come: another fulfillment takes them over, or the customer is asked."""

    type = "fulfillment.passed_on"
    reason: str
    units: dict[str, int]


class FulfillmentAccepted(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.accepted"


class FulfillmentPicking(FulfillmentEvent, frozen=True, kw_only=True):
    """Some of the goods are picked, or picking has begun."""

    type = "fulfillment.picking"


class FulfillmentPicked(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.picked"


class FulfillmentPacked(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.packed"


class FulfillmentReady(FulfillmentEvent, frozen=True, kw_only=True):
    """The customer can come; the message's sender derives the code from the counter."""

    type = "fulfillment.ready_for_pickup"


class PickupCodeRenewed(FulfillmentEvent, frozen=True, kw_only=True):
    """The old pickup code is void."""

    type = "fulfillment.pickup_code_renewed"


class FulfillmentPromised(FulfillmentEvent, frozen=True, kw_only=True):
    """A later promise was given."""

    type = "fulfillment.promised"


class FulfillmentAtRisk(FulfillmentEvent, frozen=True, kw_only=True):
    """Goods that were promised have left the store otherwise."""

    type = "fulfillment.at_risk"


class FulfillmentSafe(FulfillmentEvent, frozen=True, kw_only=True):
    """The store has looked: nothing that was promised is missing any more."""

    type = "fulfillment.safe"


class FulfillmentPartlyCollected(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.partly_collected"


class FulfillmentCollected(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.collected"


class FulfillmentPartlyCancelled(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.partly_cancelled"
    reason: str


class FulfillmentCancelled(FulfillmentEvent, frozen=True, kw_only=True):
    type = "fulfillment.cancelled"
    reason: str


class SourcingRulesSet(Event, frozen=True, kw_only=True):
    """Sources of orders are chosen by other rules from now on."""

    type = "sourcing.rules_set"
    aggregate = "sourcing_rules"
    scope: str


class DeliveryMethodSaved(Event, frozen=True, kw_only=True):
    """A way to bring goods to a customer is new, or another than it was."""

    type = "delivery_method.saved"
    aggregate = "delivery_method"
    code: str
