"""Variants as this process read them last, each with the stamp that proves whether it still is so (decisions/0032)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from commerce.catalog.schemas import Variant
from commerce.infra.db import Tx

MOST = 10_000
"""Some 30 MB; beyond, the one that was kept first goes."""

NO_STAMP = bytes(16)
"""Of no row: no transaction has the number 0."""


class Remembered:
    """Variants by id with their stamps. Never an answer by itself: a statement compares the stamp in the same breath.

    Kept by transactions that read only: they see nothing but committed rows, of which no two states have the same writer.
    A bundle is not kept, as rows of its components, too, make it what it is.
    """

    def __init__(self) -> None:
        self.ids: dict[str, UUID] = {}
        """By SKU; a SKU never moves to another variant."""
        self._variants: dict[UUID, tuple[bytes, Variant]] = {}

    def named(self, ids: Iterable[UUID | None]) -> dict[UUID, tuple[bytes, Variant]]:
        """What is remembered of these, with its stamps."""
        kept = self._variants
        return {id_: kept[id_] for id_ in ids if id_ is not None and id_ in kept}

    def scales(self, ids: Iterable[UUID]) -> list[int | None]:
        """The quantity scales of these; None of what is not remembered."""
        kept = self._variants
        return [kept[id_][1].quantity_scale if id_ in kept else None for id_ in ids]

    @staticmethod
    def stamps(named: Mapping[UUID, tuple[bytes, Variant]], ids: Iterable[UUID | None]) -> bytes:
        """The stamps in the order of `ids`, one after the other; a stamp of no row where nothing is remembered."""
        return b"".join([named[id_][0] if id_ is not None and id_ in named else NO_STAMP for id_ in ids])

    def keep(self, stamp: bytes, variant: Variant) -> None:
        """Remember how a variant is while its stamp is this one."""
        if variant.id not in self._variants and len(self._variants) >= MOST:
            first = next(iter(self._variants))
            del self.ids[self._variants.pop(first)[1].sku]
        self._variants[variant.id] = stamp, variant
        self.ids[variant.sku] = variant.id


def of(tx: Tx) -> Remembered:
    """What this process remembers of the transaction's database."""
    found: Remembered | None = tx.memory.get("catalog")
    if found is None:
        found = tx.memory["catalog"] = Remembered()
    return found
