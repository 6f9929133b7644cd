"""What must always be true of conversations (DESIGN 14 names the books; line 10 is the room's own)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

VERSIONS = """
SELECT c.number, c.version, e.entries, e.last, o.events FROM conversations.conversations c
LEFT JOIN (
    SELECT conversation_id, count(*) AS entries, max(n) AS last, min(n) AS first FROM conversations.entries GROUP BY conversation_id
) e ON e.conversation_id = c.id
LEFT JOIN (
    SELECT aggregate_id, count(DISTINCT version) AS events, max(version) AS last FROM infra.outbox
    WHERE aggregate = 'conversation' GROUP BY aggregate_id
) o ON o.aggregate_id = c.id
WHERE (e.entries, e.last, e.first, o.events, o.last) IS DISTINCT FROM (c.version, c.version, 1, c.version, c.version)
"""
OPEN = """
SELECT c.number, c.state, w.waiting FROM conversations.conversations c
CROSS JOIN LATERAL (
    SELECT count(m.unanswered_since) AS waiting FROM conversations.conversations m WHERE m.id = c.id OR m.joined_into = c.id
) w
WHERE c.state <> 'joined' AND (c.state = 'open') <> (w.waiting > 0)
"""
DUE = """
SELECT c.number, c.due_at FROM conversations.conversations c
CROSS JOIN LATERAL (
    SELECT min(m.answer_due_at) AS due_at FROM conversations.conversations m WHERE m.id = c.id OR m.joined_into = c.id
) w
WHERE c.due_at IS DISTINCT FROM CASE WHEN c.joined_into IS NULL THEN w.due_at END
"""
ANSWERED = """
SELECT c.number, c.first_answered_at, e.at FROM conversations.conversations c
LEFT JOIN (
    SELECT DISTINCT ON (conversation_id) conversation_id, occurred_at AS at, author_id FROM conversations.entries WHERE answers
    ORDER BY conversation_id, n
) e ON e.conversation_id = c.id
WHERE (c.first_answered_at, c.answered_by) IS DISTINCT FROM (e.at, e.author_id)
"""
JOINED = """
SELECT c.number, c.joined_into FROM conversations.conversations c JOIN conversations.conversations h ON h.id = c.joined_into
WHERE h.joined_into IS NOT NULL OR h.first_answer_due_at > c.first_answer_due_at
UNION ALL
SELECT c.number, c.joined_into FROM conversations.conversations c
WHERE c.joined_into IS NOT NULL AND NOT EXISTS (
    SELECT FROM conversations.entries e JOIN conversations.conversations h ON h.number = e.data ->> 'into'
    WHERE e.conversation_id = c.id AND e.kind = 'joined' AND h.id = c.joined_into)
"""
LOST = """
SELECT c.number, c.outcome, l.lines FROM conversations.conversations c
CROSS JOIN LATERAL (SELECT count(*) AS lines FROM conversations.lost_demands d WHERE d.conversation_id = c.id) l
WHERE (c.outcome IS NOT DISTINCT FROM 'no_sale') <> (l.lines > 0)
"""
STEPS = """
SELECT s.id, s.state, s.version, o.events FROM conversations.next_steps s
LEFT JOIN (
    SELECT aggregate_id, count(DISTINCT version) AS events, max(version) AS last,
        count(*) FILTER (WHERE type IN ('next_step.done', 'next_step.dropped')) AS ended,
        count(*) FILTER (WHERE type = 'next_step.due') AS told
    FROM infra.outbox WHERE aggregate = 'next_step' GROUP BY aggregate_id
) o ON o.aggregate_id = s.id
WHERE (o.events, o.last, o.ended, o.told) IS DISTINCT FROM (
    s.version, s.version, CASE s.state WHEN 'open' THEN 0 ELSE 1 END, CASE WHEN s.due_told_at IS NULL THEN 0 ELSE 1 END)
"""
DESK = """
SELECT x.code, x.version, o.last FROM (
    SELECT id, code, version, CASE code WHEN 'general' THEN 1 ELSE 0 END AS before FROM conversations.teams
    UNION ALL SELECT id, code, version, 0 FROM conversations.sources
) x LEFT JOIN (
    SELECT aggregate_id, count(DISTINCT version) AS events, max(version) AS last FROM infra.outbox
    WHERE aggregate IN ('conversation_team', 'conversation_source') GROUP BY aggregate_id
) o ON o.aggregate_id = x.id
WHERE coalesce(o.events, 0) <> x.version - x.before OR coalesce(o.last, x.before) <> x.version
"""
RECORDS = """
SELECT c.number, e.n, e.kind FROM conversations.entries e JOIN conversations.conversations c ON c.id = e.conversation_id
WHERE e.written_by = 'staff' AND NOT EXISTS (
    SELECT FROM infra.audit_records r
    WHERE r.target = 'conversation' AND r.target_id = CAST(c.id AS text) AND r.action = 'conversation.' || e.kind
        AND r.subject = e.author_id)
"""
FORGOTTEN = """
SELECT c.number, e.n FROM conversations.conversations c LEFT JOIN conversations.entries e ON e.conversation_id = c.id AND e.text IS NOT NULL
WHERE c.forgotten_at IS NOT NULL AND (e.n IS NOT NULL OR c.handle IS NOT NULL OR c.handle_hash IS NOT NULL OR c.subject IS NOT NULL)
"""

INVARIANTS = [
    Invariant(8, "each version of a conversation has its entry and its event, without a gap", VERSIONS),
    Invariant(8, "each version of a next step has its event, and it ends and is told of once", STEPS),
    Invariant(8, "each version of a team and of a source of messages has its event", DESK),
    Invariant(10, "a conversation is open as long as somebody waits in one of its channels", OPEN),
    Invariant(10, "a conversation's clock is the earliest of those who wait in its channels", DUE),
    Invariant(10, "a conversation's first answer is its first entry that answers", ANSWERED),
    Invariant(10, "a conversation is joined into one that goes on by itself, whose clock is the earliest", JOINED),
    Invariant(10, "a conversation without a sale says what was not sold, and no other does", LOST),
    Invariant(10, "what staff did in a conversation has its audit record", RECORDS),
    Invariant(10, "a forgotten conversation keeps no word and no handle", FORGOTTEN),
]
