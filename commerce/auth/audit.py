"""What must always be true in `auth` (DESIGN 14 names the books; line 10 is people)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

CLIENT_KEYS = "a client's keys are of its kind, and none works after the client"

INVARIANTS = [
    Invariant(
        10,
        "each client, device and member of staff is a principal of its own kind",
        """
        SELECT p.id, p.kind, k.kind AS kept_as
        FROM auth.principals p
        JOIN (
            SELECT id, 'client' AS kind FROM auth.clients
            UNION ALL SELECT id, 'device' FROM auth.devices
            UNION ALL SELECT id, 'staff' FROM auth.staff
        ) k ON k.id = p.id
        WHERE p.kind <> k.kind
        """,
    ),
    Invariant(
        10,
        "every session belongs to a shopper or to staff, and one on a device stands at the device's location",
        """
        SELECT s.id, p.kind, s.location, d.location AS device_location
        FROM auth.sessions s JOIN auth.principals p ON p.id = s.principal_id LEFT JOIN auth.devices d ON d.id = s.device_id
        WHERE p.kind NOT IN ('shopper', 'staff') OR s.location IS DISTINCT FROM d.location
        """,
    ),
    Invariant(
        10,
        CLIENT_KEYS,
        """
        SELECT k.id, k.kind, c.kind AS client_kind, c.revoked_at FROM auth.client_keys k JOIN auth.clients c ON c.id = k.client_id
        WHERE k.kind <> c.kind OR (c.revoked_at IS NOT NULL AND k.revoked_at IS NULL)
        """,
    ),
    Invariant(
        10,
        "every member of staff has a role",
        "SELECT s.id FROM auth.staff s WHERE NOT EXISTS (SELECT 1 FROM auth.staff_roles r WHERE r.staff_id = s.id)",
    ),
    Invariant(
        10,
        "an asker has one live code for a contact at most",
        """
        SELECT a.id, b.id AS other FROM auth.challenges a JOIN auth.challenges b
            ON b.identity = a.identity AND b.purpose = a.purpose AND b.principal_id IS NOT DISTINCT FROM a.principal_id AND b.id > a.id
        WHERE a.settled_at IS NULL AND b.created_at < a.expires_at
          AND NOT EXISTS (SELECT 1 FROM auth.principals p WHERE p.id = a.principal_id AND p.kind IN ('client', 'device'))
        """,
    ),
    Invariant(
        10,
        "a contact has no more codes than are sent in an hour, whoever asked",
        """
        SELECT identity, count(*) AS codes FROM auth.challenges
        GROUP BY identity HAVING count(*) > 5 AND max(created_at) - min(created_at) < interval '1 hour'
        """,
    ),
    Invariant(
        10,
        "every code is under the limits of its contact",
        """
        SELECT c.id FROM auth.challenges c LEFT JOIN auth.code_limits l ON l.identity = c.identity
        WHERE l.identity IS NULL OR cardinality(l.misses) < c.attempts AND l.used_at < c.expires_at
        """,
    ),
    Invariant(
        10,
        "at a device there is one shopper and one member of staff, and both go by themselves",
        """
        SELECT s.device_id, p.kind, count(*) AS live, count(*) FILTER (WHERE s.idle_seconds IS NULL OR s.ends_at IS NULL) AS endless
        FROM auth.sessions s JOIN auth.principals p ON p.id = s.principal_id
        WHERE s.device_id IS NOT NULL AND s.revoked_at IS NULL
        GROUP BY s.device_id, p.kind
        HAVING count(*) > 1 OR count(*) FILTER (WHERE s.idle_seconds IS NULL OR s.ends_at IS NULL) > 0
        """,
    ),
    Invariant(
        10,
        "a pairing that was approved has made one device, of its kind",
        """
        SELECT p.id, p.kind, d.kind AS device_kind
        FROM auth.pairings p JOIN auth.devices d ON d.id = p.device_id
        WHERE d.kind <> p.kind OR d.created_at <> p.decided_at
           OR EXISTS (SELECT 1 FROM auth.pairings o WHERE o.device_id = p.device_id AND o.id <> p.id)
        """,
    ),
    Invariant(
        10,
        "an invitation that was accepted has made one member of staff, and keeps no name",
        """
        SELECT i.id, i.login, s.login AS member
        FROM auth.invitations i JOIN auth.staff s ON s.id = i.staff_id
        WHERE i.name <> '' OR s.login <> i.login OR s.created_at > i.decided_at OR i.purpose = 'join' AND (
            s.created_at <> i.decided_at
            OR EXISTS (SELECT 1 FROM auth.invitations o WHERE o.staff_id = i.staff_id AND o.purpose = 'join' AND o.id <> i.id))
        """,
    ),
    Invariant(
        10,
        "somebody can always put roles right",
        """
        SELECT code, permissions FROM auth.roles
        WHERE code = 'admin' AND NOT (permissions @> '["roles.write", "staff.write"]')
        """,
    ),
]
