"""CPU seconds of a whole process tree, children that have ended and been reaped included."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]

__all__ = ["CpuMeter"]


class CpuMeter:
    """User + system CPU of process trees; read it twice and subtract."""

    def __init__(self, **roots: int) -> None:
        self._roots = {name: psutil.Process(pid) for name, pid in roots.items()}

    def seconds(self) -> dict[str, float]:
        """CPU seconds used so far, by the name of the tree."""
        return {name: sum(map(_seconds, _tree(root))) for name, root in self._roots.items()}


def _tree(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        # It ended between the listing and the reading; its parent has reaped it and counts it next time.
        return 0.0
    # What a reaped child used moves into `children_*` of its parent, so the sum over a living tree never falls.
    return float(
        times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    )
