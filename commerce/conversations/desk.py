"""The desk itself: teams with their channels and promises, and the sources that deliver messages."""

from __future__ import annotations

from commerce import locations
from commerce.conversations import books, queries
from commerce.conversations.errors import (
    ChannelHasTeam,
    LocationHasTeam,
    SourceRevoked,
    SourceTaken,
    StaleTeam,
    UnknownSource,
)
from commerce.conversations.events import SourceSaved, TeamSaved
from commerce.conversations.schemas import CreateSource, MessageSourceView, SaveTeam, TeamView
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('conversation teams', 0))"
"""Teams divide the channels and the locations among them: one is saved at a time."""
OLD_TEAM = """
SELECT t.id, t.version, t.first_answer_minutes, t.location_id,
    ARRAY(SELECT c.channel FROM conversations.team_channels c WHERE c.team_id = t.id ORDER BY c.channel) AS channels
FROM conversations.teams t WHERE t.code = :code
"""
OF_LOCATION = "SELECT code FROM conversations.teams WHERE location_id = CAST(:location AS uuid) AND code <> :code"
TAKEN = """
SELECT c.channel, t.code FROM conversations.team_channels c JOIN conversations.teams t ON t.id = c.team_id
WHERE c.channel = ANY(CAST(:channels AS text[])) AND t.code <> :code ORDER BY c.channel LIMIT 1
"""
SAVE_TEAM = """
INSERT INTO conversations.teams AS t (id, code, name, location_id, first_answer_minutes, created_at)
VALUES (:id, :code, :name, CAST(:location AS uuid), :minutes, :at)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, location_id = excluded.location_id,
    first_answer_minutes = excluded.first_answer_minutes, version = t.version + 1
RETURNING id, version
"""
LET_GO = (
    "DELETE FROM conversations.team_channels WHERE team_id = :team AND NOT channel = ANY(CAST(:channels AS text[]))"
)
TAKE = """
INSERT INTO conversations.team_channels (channel, team_id) SELECT c, :team FROM unnest(CAST(:channels AS text[])) AS c
ON CONFLICT (channel) DO NOTHING
"""
CREATE_SOURCE = """
INSERT INTO conversations.sources (id, code, channel, team_id, location_id, created_at)
VALUES (:id, :code, :channel, CAST(:team AS uuid), CAST(:location AS uuid), :at) ON CONFLICT (code) DO NOTHING RETURNING id
"""
LOCK_SOURCE = (
    "SELECT id, revoked_at, secret_version, version FROM conversations.sources WHERE code = :code FOR NO KEY UPDATE"
)
ROTATE = """
UPDATE conversations.sources SET secret_version = secret_version + 1, rotated_at = :at, version = version + 1 WHERE id = :id
"""
REVOKE = "UPDATE conversations.sources SET revoked_at = :at, version = version + 1 WHERE id = :id"


async def save_team(tx: Tx, actor: Actor, *, code: str, command: SaveTeam, if_match: int | None = None) -> TeamView:
    """Make a team, or change what it is. A channel and a location have one team each.

    Raises StaleTeam, ChannelHasTeam, LocationHasTeam, locations.UnknownLocation.
    """
    await tx.execute(ALONE)
    old = await tx.first(OLD_TEAM, code=code)
    if if_match is not None and old is not None and old.version != if_match:
        raise StaleTeam(current_version=old.version)
    location = await locations.one(tx, command.location) if command.location else None
    if location is not None and (other := await tx.first(OF_LOCATION, location=location.id, code=code)):
        raise LocationHasTeam(location=location.code, team=other.code)
    channels = sorted(set(command.channels))
    taken = await tx.first(TAKEN, channels=channels, code=code)
    if taken is not None:
        raise ChannelHasTeam(channel=taken.channel, team=taken.code)
    row = await tx.one(
        SAVE_TEAM, id=uuid7(), code=code, name=command.name, location=location.id if location else None,
        minutes=command.first_answer_minutes, at=tx.at,
    )  # fmt: skip
    await tx.execute(LET_GO, team=row.id, channels=channels)
    await tx.execute(TAKE, team=row.id, channels=channels)
    outbox.record(
        tx, actor,
        TeamSaved(
            aggregate_id=row.id, version=row.version, code=code, first_answer_minutes=command.first_answer_minutes,
            location_id=location.id if location else None, channels=list(channels),
        ),
    )  # fmt: skip
    before = None
    if old is not None:
        was = (await locations.by_ids(tx, [old.location_id])).get(old.location_id) if old.location_id else None
        place = was.code if was is not None else None
        before = {"minutes": old.first_answer_minutes, "location": place, "channels": list(old.channels)}
    outbox.audit(
        tx, actor, "conversation_team.save", "conversation_team", code, before=before,
        after={"minutes": command.first_answer_minutes, "location": command.location, "channels": channels},
    )  # fmt: skip
    return await queries.team(tx, code=code)


async def create_source(tx: Tx, actor: Actor, *, command: CreateSource) -> MessageSourceView:
    """Let somebody deliver messages of a channel. Its secret is derived, not stored.

    Raises SourceTaken, UnknownTeam, locations.UnknownLocation.
    """
    team = await books.team_of(tx, command.team) if command.team else None
    location = await locations.one(tx, command.location) if command.location else None
    row = await tx.first(
        CREATE_SOURCE, id=uuid7(), code=command.code, channel=command.channel, team=team.id if team else None,
        location=location.id if location else None, at=tx.at,
    )  # fmt: skip
    if row is None:
        raise SourceTaken(source=command.code)
    outbox.record(
        tx, actor, SourceSaved(aggregate_id=row.id, version=1, code=command.code, secret_version=1, revoked=False)
    )
    outbox.audit(
        tx, actor, "conversation_source.create", "conversation_source", command.code, after={"channel": command.channel}
    )
    return await queries.source(tx, code=command.code)


async def rotate_source(tx: Tx, actor: Actor, *, code: str) -> MessageSourceView:
    """The next secret of a source; the one before is good for 24 hours more. Raises UnknownSource, SourceRevoked."""
    return await _change(tx, actor, code, ROTATE, "rotate")


async def revoke_source(tx: Tx, actor: Actor, *, code: str) -> MessageSourceView:
    """Take nothing from a source any more, from now on and for good. Raises UnknownSource, SourceRevoked."""
    return await _change(tx, actor, code, REVOKE, "revoke")


async def _change(tx: Tx, actor: Actor, code: str, statement: str, act: str) -> MessageSourceView:
    row = await tx.first(LOCK_SOURCE, code=code)
    if row is None:
        raise UnknownSource(source=code)
    if row.revoked_at is not None:
        raise SourceRevoked(source=code)
    await tx.execute(statement, id=row.id, at=tx.at)
    made = await queries.source(tx, code=code)
    outbox.record(
        tx, actor,
        SourceSaved(
            aggregate_id=row.id, version=made.version, code=code, secret_version=made.secret_version,
            revoked=made.revoked_at is not None,
        ),
    )  # fmt: skip
    outbox.audit(
        tx, actor, f"conversation_source.{act}", "conversation_source", code,
        before={"secret_version": row.secret_version}, after={"secret_version": made.secret_version},
    )  # fmt: skip
    return made
