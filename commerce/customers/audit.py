"""What must always be true in `customers` (DESIGN 14 names the books; line 10 is people)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        10,
        "no profile is merged in a circle",
        """
        WITH RECURSIVE up AS (
            SELECT id AS start, merged_into AS at FROM customers.profiles WHERE merged_into IS NOT NULL
            UNION
            SELECT up.start, p.merged_into FROM up JOIN customers.profiles p ON p.id = up.at WHERE p.merged_into IS NOT NULL
        )
        SELECT start AS profile FROM up WHERE at = start
        """,
    ),
    Invariant(
        10,
        "a merged profile says when",
        "SELECT id FROM customers.profiles WHERE (merged_into IS NULL) <> (merged_at IS NULL)",
    ),
    Invariant(
        10,
        "a profile points at the winner of its standing merge, and no other does",
        """
        SELECT coalesce(p.id, m.loser_id) AS id, p.merged_into, m.winner_id
        FROM (SELECT id, merged_into, merged_at FROM customers.profiles WHERE merged_into IS NOT NULL) p
        FULL JOIN (SELECT loser_id, winner_id, merged_at FROM customers.merges WHERE undone_at IS NULL) m ON m.loser_id = p.id
        WHERE (p.merged_into, p.merged_at) IS DISTINCT FROM (m.winner_id, m.merged_at)
        """,
    ),
    Invariant(
        10,
        "who staff merged, or parted again, is in the audit record",
        """
        SELECT m.id, m.loser_id FROM customers.merges m
        WHERE m.proof = 'staff' AND NOT EXISTS (
            SELECT 1 FROM infra.audit_records a
            WHERE a.action = 'customer.merged' AND a.target_id = m.winner_id::text AND a.after ->> 'loser' = m.loser_id::text
              AND a.subject = m.merged_by AND a.occurred_at = m.merged_at
        ) OR m.undone_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM infra.audit_records a
            WHERE a.action = 'customer.unmerged' AND a.target_id = m.loser_id::text AND a.subject = m.undone_by
              AND a.occurred_at = m.undone_at
        )
        """,
    ),
    Invariant(
        10,
        "nothing that a guest says of himself counts as verified",
        """
        SELECT i.id, i.kind, i.profile_id FROM customers.identifiers i JOIN customers.profiles p ON p.id = i.profile_id
        WHERE p.guest AND i.kind IN ('email', 'phone') AND i.verified_at IS NOT NULL
        """,
    ),
    Invariant(
        10,
        "cards, devices and ids of other systems count as verified",
        "SELECT id, kind, profile_id FROM customers.identifiers WHERE kind NOT IN ('email', 'phone') AND verified_at IS NULL",
    ),
    Invariant(
        10,
        "every identifier belongs to a profile that is not erased",
        """
        SELECT i.id, i.kind, i.profile_id FROM customers.identifiers i
        JOIN customers.profiles p ON p.id = i.profile_id WHERE p.erased_at IS NOT NULL
        """,
    ),
    Invariant(
        10,
        "an erased profile keeps no name",
        "SELECT id FROM customers.profiles WHERE erased_at IS NOT NULL AND name IS NOT NULL",
    ),
    Invariant(
        8,
        "every change of a profile has its event, without a gap",
        """
        SELECT p.id, p.version, coalesce(e.events, 0) AS events
        FROM customers.profiles p LEFT JOIN (
            SELECT aggregate_id, count(DISTINCT version) AS events, max(version) AS last FROM infra.outbox
            WHERE aggregate = 'customer' AND version > 1 GROUP BY aggregate_id
        ) e ON e.aggregate_id = p.id
        WHERE coalesce(e.events, 0) <> p.version - 1 OR coalesce(e.last, 1) <> p.version
        """,
    ),
]
