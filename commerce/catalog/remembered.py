"""Variants as this process read them last, each with the stamp that proves whether it still is so (decisions/0032)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from commerce.catalog.schemas import Variant
from commerce.infra.db import Tx

MOST = 10_000
"""Some 30 MB; beyond, the one that was kept first goes."""


class Remembered:
    """Variants by id with their stamps. Never an answer by itself: a statement compares the stamp in the same breath.

    Kept by transactions that read only: they see nothing but committed rows, of which no two states have the same writer.
    A bundle is not kept, as rows of its components, too, make it what it is.
    """

    def __init__(self) -> None:
        self.ids: dict[str, UUID] = {}
        """By SKU; a SKU never moves to another variant."""
        self._variants: dict[UUID, tuple[bytes, Variant]] = {}

    def named(self, ids: Iterable[UUID]) -> dict[UUID, tuple[bytes, Variant]]:
        """What is remembered of these."""
        return {id_: self._variants[id_] for id_ in ids if id_ in self._variants}

    def keep(self, stamp: bytes, variant: Variant) -> None:
        """Remember how a variant is while its stamp is this one."""
        if variant.id not in self._variants and len(self._variants) >= MOST:
            first = next(iter(self._variants))
            del self.ids[self._variants.pop(first)[1].sku]
        self._variants[variant.id] = stamp, variant
        self.ids[variant.sku] = variant.id


def of(tx: Tx) -> Remembered:
    """What this process remembers of the transaction's database."""
    found = tx.memory.get("catalog")
    if found is None:
        found = tx.memory["catalog"] = Remembered()
    assert isinstance(found, Remembered)
    return found
