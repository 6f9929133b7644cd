"""What `counts` publishes: one fact for each version of a count, and of a task that asks for one."""

from __future__ import annotations

from uuid import UUID

from commerce.kernel.events import Event


class CountEvent(Event, frozen=True, kw_only=True):
    """What every fact of a count names."""

    aggregate = "count"
    number: str
    location_id: UUID


class CountOpened(CountEvent, frozen=True, kw_only=True):
    """So many variants are to be counted."""

    type = "count.opened"
    scope: str
    variants: int


class CountEntered(CountEvent, frozen=True, kw_only=True):
    """Somebody has counted some of it."""

    type = "count.entered"
    round: int
    entries: int


class CountSubmitted(CountEvent, frozen=True, kw_only=True):
    """The counters are done; a manager looks at the variances."""

    type = "count.submitted"
    round: int
    variances: int
    not_counted: int


class CountAgain(CountEvent, frozen=True, kw_only=True):
    """Some of it is to be counted once more."""

    type = "count.recount_asked"
    round: int
    variants: int


class CountPosted(CountEvent, frozen=True, kw_only=True):
    """Approved and closed: the variances are in the books, as the posting of this count."""

    type = "count.posted"
    variances: int
    missing: int
    surplus: int


class CountCancelled(CountEvent, frozen=True, kw_only=True):
    """Given up; the books are as they were."""

    type = "count.cancelled"


class CountTaskEvent(Event, frozen=True, kw_only=True):
    """What every fact of a count task names."""

    aggregate = "count_task"
    location_id: UUID
    variant_id: UUID


class CountAsked(CountTaskEvent, frozen=True, kw_only=True):
    """A shelf should be counted."""

    type = "count_task.asked"
    reason: str


class CountAskedAgain(CountTaskEvent, frozen=True, kw_only=True):
    """There is one more reason to count it."""

    type = "count_task.asked_again"
    reason: str


class CountTaskDone(CountTaskEvent, frozen=True, kw_only=True):
    """It was counted, and the count is closed."""

    type = "count_task.counted"
    count_id: UUID


class CountTaskDismissed(CountTaskEvent, frozen=True, kw_only=True):
    """Somebody decided that it needs no count."""

    type = "count_task.dismissed"
