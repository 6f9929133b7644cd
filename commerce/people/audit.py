"""What must always be true of people across the rooms (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        8,
        "an order that was told of has what led to it",
        """
        SELECT o.id, o.payload ->> 'number' AS number FROM infra.outbox o
        JOIN infra.deliveries d ON d.event_id = o.id AND d.subscriber IN ('people.order_touches', 'people.sale_touches')
        LEFT JOIN people.order_touches t ON t.order_id = o.aggregate_id
        LEFT JOIN orders.orders now ON now.id = o.aggregate_id
        WHERE d.delivered_at IS NOT NULL AND o.payload ->> 'customer_id' IS NOT NULL
          AND (t.order_id IS NULL OR t.customer_id NOT IN (CAST(o.payload ->> 'customer_id' AS uuid), now.customer_id))
        """,
    ),
    Invariant(
        10,
        "what led to an order came before it",
        """
        SELECT t.order_id FROM people.order_touches t JOIN orders.orders o ON o.id = t.order_id
        WHERE t.at <> o.placed_at OR CAST(t.first_touch ->> 'at' AS timestamptz) > CAST(t.last_touch ->> 'at' AS timestamptz)
           OR CAST(t.last_touch ->> 'at' AS timestamptz) > o.placed_at
        """,
    ),
    Invariant(
        10,
        "an erased person has nothing personal left in any room",
        """
        SELECT p.id, left_over.what FROM customers.profiles p JOIN LATERAL (
            SELECT 'profile' AS what WHERE p.name IS NOT NULL OR p.birthday IS NOT NULL OR p.preferred_store IS NOT NULL
                OR p.preferences <> '{}'
            UNION ALL SELECT 'identifiers' FROM customers.identifiers i WHERE i.profile_id = p.id
            UNION ALL SELECT 'addresses' FROM customers.addresses a WHERE a.profile_id = p.id
            UNION ALL SELECT 'touches' FROM customers.touches t WHERE t.shopper_id = p.id AND t.at <= p.erased_at
            UNION ALL SELECT 'merges' FROM customers.merges m WHERE p.id IN (m.winner_id, m.loser_id)
                AND (m.merged_because IS NOT NULL OR m.undone_because IS NOT NULL)
            UNION ALL SELECT 'sessions' FROM auth.sessions s WHERE s.principal_id = p.id
                AND (s.device_name IS NOT NULL OR s.revoked_at IS NULL)
            UNION ALL SELECT 'password' FROM auth.passwords w WHERE w.principal_id = p.id
            UNION ALL SELECT 'cart' FROM carts.carts c JOIN carts.lines l ON l.cart_id = c.id
                WHERE c.shopper_id = p.id AND c.created_at <= p.erased_at AND c.state = 'open'
            UNION ALL SELECT 'order' FROM orders.orders o WHERE o.customer_id = p.id AND o.placed_at <= p.erased_at
                AND (o.contact IS NOT NULL OR o.recipient IS NOT NULL OR o.note IS NOT NULL)
            UNION ALL SELECT 'return' FROM returns.returns r JOIN returns.lines l ON l.return_id = r.id
                WHERE r.customer_id = p.id AND r.created_at <= p.erased_at AND l.note IS NOT NULL
            UNION ALL SELECT 'what led to an order' FROM people.order_touches t
                WHERE t.customer_id = p.id AND t.at <= p.erased_at AND (t.first_touch IS NOT NULL OR t.last_touch IS NOT NULL)
            UNION ALL SELECT 'list' FROM lists.lists l WHERE l.shopper_id = p.id AND l.created_at <= p.erased_at AND l.state = 'open'
            UNION ALL SELECT 'conversation' FROM conversations.conversations c WHERE c.person_id = p.id AND c.opened_at <= p.erased_at
                AND (c.handle IS NOT NULL OR c.subject IS NOT NULL)
            UNION ALL SELECT 'what was said' FROM conversations.conversations c JOIN conversations.entries e ON e.conversation_id = c.id
                WHERE c.person_id = p.id AND e.occurred_at <= p.erased_at AND e.text IS NOT NULL
        ) left_over ON true
        WHERE p.erased_at IS NOT NULL
        """,
    ),
    Invariant(
        10,
        "who was merged into an erased person is erased with him",
        """
        SELECT p.id, p.merged_into FROM customers.profiles p JOIN customers.profiles w ON w.id = p.merged_into
        WHERE w.erased_at IS NOT NULL AND p.erased_at IS NULL
        """,
    ),
    Invariant(
        10,
        "who changed a retention rule is in the audit records",
        """
        SELECT r.subject, r.version FROM people.retention_rules r
        WHERE r.version > 1 AND NOT EXISTS (
            SELECT 1 FROM infra.audit_records a WHERE a.action = 'retention.set' AND a.target_id = r.subject AND a.subject = r.updated_by
              AND a.occurred_at = r.updated_at AND (a.after ->> 'days') IS NOT DISTINCT FROM CAST(r.days AS text)
        )
        """,
    ),
]
