"""audit records stay

The books of several rooms are proven by the audit records, so that they are kept as long as the books: their rule is fixed, and nothing
opens them to be deleted any more. A rule that somebody had set goes back to for ever, on record.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION infra.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %.% are never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
REFUSE_OR_PURGE = """
CREATE OR REPLACE FUNCTION infra.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('commerce.purge', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'rows of %.% are never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
FIX = """
WITH was AS (
    SELECT subject, days FROM people.retention_rules WHERE subject = 'audit_records' FOR UPDATE
), fixed AS (
    UPDATE people.retention_rules r
    SET fixed = true, days = NULL, version = r.version + CASE WHEN was.days IS NULL THEN 0 ELSE 1 END,
        updated_at = CASE WHEN was.days IS NULL THEN r.updated_at ELSE now() END,
        updated_by = CASE WHEN was.days IS NULL THEN r.updated_by ELSE '00000000-0000-0000-0000-000000000000' END
    FROM was WHERE r.subject = was.subject
)
INSERT INTO infra.audit_records (id, action, subject, subject_kind, channel, target, target_id, before, after, occurred_at)
SELECT gen_random_uuid(), 'retention.set', '00000000-0000-0000-0000-000000000000', 'system', 'system', 'retention_rule', subject,
    jsonb_build_object('days', days), '{"days": null}', now()
FROM was WHERE days IS NOT NULL
"""


def upgrade() -> None:
    op.execute(REFUSE_CHANGE)
    op.execute(FIX)


def downgrade() -> None:
    op.execute("UPDATE people.retention_rules SET fixed = false WHERE subject = 'audit_records'")
    op.execute(REFUSE_OR_PURGE)
