"""Work at one location: a store's pickups from the promise to the customer's hands, and carry-outs that have happened.

Owns fulfillments, their lines, the promises given and the steps with who did them; and the answer to "who has it, from when,
how far". Promises: a fulfillment never changes its location; a promise is appended, never overwritten; every version has one
step and one event; a pickup code is never stored and is locked after five wrong ones. Whatever also moves money or the order
(collecting, cancelling) is a verb of `orders`, which calls `prove`, `hand_over` and `cancel` here under its own lock.
The fulfillment is the owner of its reservations: `stock.Owner("fulfillment", fulfillment.id)`, with the order line as line.
"""

from commerce.fulfillment.availability import band_of
from commerce.fulfillment.candidates import Survey, survey
from commerce.fulfillment.errors import OtherStore, PickupCodeLocked, UnknownFulfillment, WrongPickupCode, WrongStep
from commerce.fulfillment.near import Lack, Near, near_stores
from commerce.fulfillment.planning import plan
from commerce.fulfillment.promises import pickup_promise
from commerce.fulfillment.queries import fulfillments_of, line_view, of_orders, order_of, steps_of, the_one
from commerce.fulfillment.rules import StoredPlan, plans_of, rules_of, store_plan
from commerce.fulfillment.schemas import (
    CancelReason,
    Coming,
    Fulfillment,
    FulfillmentLine,
    FulfillmentLineView,
    Promise,
    State,
    StepView,
    WorkLine,
)
from commerce.fulfillment.service import (
    cancel,
    carry_out,
    hand_over,
    lock,
    lock_after,
    lock_of_order,
    mark_at_risk,
    open_pickup,
    pass_on,
    pickup_code,
    prove,
    reject,
    renew_codes,
    require_rejectable,
    settle_risk,
    settle_waiting,
    state_of,
)
from commerce.fulfillment.sourcing import Plan, Reason, Rules, Wanted, texts_of

__all__ = [
    "CancelReason",
    "Coming",
    "Fulfillment",
    "FulfillmentLine",
    "FulfillmentLineView",
    "Lack",
    "Near",
    "OtherStore",
    "PickupCodeLocked",
    "Plan",
    "Promise",
    "Reason",
    "Rules",
    "State",
    "StepView",
    "StoredPlan",
    "Survey",
    "UnknownFulfillment",
    "Wanted",
    "WorkLine",
    "WrongPickupCode",
    "WrongStep",
    "band_of",
    "cancel",
    "carry_out",
    "fulfillments_of",
    "hand_over",
    "line_view",
    "lock",
    "lock_after",
    "lock_of_order",
    "mark_at_risk",
    "near_stores",
    "of_orders",
    "open_pickup",
    "order_of",
    "pass_on",
    "pickup_code",
    "pickup_promise",
    "plan",
    "plans_of",
    "prove",
    "reject",
    "renew_codes",
    "require_rejectable",
    "rules_of",
    "settle_risk",
    "settle_waiting",
    "state_of",
    "steps_of",
    "store_plan",
    "survey",
    "texts_of",
    "the_one",
]
