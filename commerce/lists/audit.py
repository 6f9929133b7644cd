"""What must always be true of lists (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        10,
        "a shopper has at most one wish list and one list of what he saved for later",
        """
        SELECT shopper_id, kind, count(*) AS lists FROM lists.lists
        WHERE state = 'open' AND kind <> 'named' GROUP BY shopper_id, kind HAVING count(*) > 1
        """,
    ),
    Invariant(
        10,
        "a shopper's lists are counted, and no more than fifty",
        """
        SELECT coalesce(o.shopper_id, l.shopper_id) AS shopper_id, o.lists AS counted, coalesce(l.lists, 0) AS lists
        FROM lists.owners o FULL JOIN (
            SELECT shopper_id, count(*) AS lists FROM lists.lists WHERE state = 'open' GROUP BY shopper_id
        ) l ON l.shopper_id = o.shopper_id
        WHERE coalesce(o.lists, -1) <> coalesce(l.lists, 0) OR o.lists > 50
        """,
    ),
    Invariant(
        10,
        "a list has at most 500 lines, and none once it is gone",
        """
        SELECT l.id AS list_id, l.state, count(*) AS lines FROM lists.lists l JOIN lists.lines n ON n.list_id = l.id
        GROUP BY l.id, l.state HAVING count(*) > 500 OR l.state <> 'open'
        """,
    ),
    Invariant(
        10,
        "a list that is gone keeps no name and no link",
        "SELECT id AS list_id FROM lists.lists WHERE state <> 'open' AND (name IS NOT NULL OR shared_at IS NOT NULL)",
    ),
    Invariant(
        8,
        "every version of a list has its event, and every such event its list",
        """
        SELECT coalesce(l.id, e.aggregate_id) AS list_id, l.version, e.events, e.last FROM lists.lists l FULL JOIN (
            SELECT aggregate_id, count(*) AS events, max(version) AS last, min(version) AS first
            FROM infra.outbox WHERE aggregate = 'list' GROUP BY aggregate_id
        ) e ON e.aggregate_id = l.id
        WHERE l.id IS NULL OR e.events IS DISTINCT FROM l.version OR e.last <> l.version OR e.first <> 1
        """,
    ),
    Invariant(
        8,
        "the last event of a list that is gone says so, and of no other",
        """
        SELECT l.id AS list_id, l.state, e.type FROM lists.lists l JOIN infra.outbox e
            ON e.aggregate = 'list' AND e.aggregate_id = l.id AND e.version = l.version
        WHERE l.state <> CASE e.type WHEN 'list.deleted' THEN 'deleted' WHEN 'list.merged' THEN 'merged' ELSE 'open' END
        """,
    ),
]
