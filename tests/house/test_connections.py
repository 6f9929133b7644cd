"""The sum of connections of all processes of the default deployment is stated: at most 60."""

from __future__ import annotations

from commerce.settings import Settings

MAXIMUM = 60


def test_the_default_deployment_opens_at_most_sixty_connections() -> None:
    settings = Settings(database_url="postgresql://", redis_url="redis://", secret_key="x" * 32)
    pools = settings.write_connections + settings.read_connections
    api = settings.api_workers * pools
    from commerce import worker

    asides = sum(worker.connections().values())
    audit = 1
    assert api + asides + audit <= MAXIMUM
