"""One person across all rooms: found by anything that is known of him, told as one timeline, exported, erased."""

__all__: list[str] = []
