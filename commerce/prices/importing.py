"""Import of the price list from CSV and NDJSON: `sku,amount,currency,valid_from`; amounts in minor units, tax included.

What was in force is never changed: a line that would do so is a fault. A variant's first prices may lie in the past, all of them
within one chunk of lines (or in the order of the newest first): its later ones are from 10 seconds after the import on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from commerce import catalog
from commerce.infra import importing
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, Fault, Item, Loaded, Reader, Report, Tell, present
from commerce.kernel.actor import Actor
from commerce.kernel.money import Currency
from commerce.kernel.text import Sku
from commerce.prices import service
from commerce.prices.schemas import Amount, NewPrice
from commerce.prices.service import LEAD

COLUMNS = ("sku", "amount", "currency", "valid_from")


class PriceLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One price of the file; without `valid_from` it is in force as soon as it can be: 10 seconds after its import."""

    sku: Sku
    amount: Amount
    currency: Currency
    valid_from: datetime | None = None


def loader(currency: str) -> importing.Load[PriceLine]:
    """How a chunk of prices is loaded in a shop of one currency."""

    async def load(tx: Tx, actor: Actor, items: Sequence[Item[PriceLine]]) -> Loaded:
        variants = await catalog.by_skus(tx, list({item.value.sku for item in items}))
        faults: list[Fault] = []
        good: list[tuple[int, NewPrice]] = []
        for item in items:
            line, value = item.line, item.value
            if value.sku not in variants:
                faults.append(Fault(line=line, field="sku", reason=f"there is no variant {value.sku}"))
            elif value.currency != currency:
                faults.append(Fault(line=line, field="currency", reason=f"prices are in {currency} here"))
            elif value.valid_from is not None and value.valid_from.tzinfo is None:
                faults.append(Fault(line=line, field="valid_from", reason="give the moment with its offset"))
            else:
                good.append(
                    (line, NewPrice(
                        variant_id=variants[value.sku].id, amount=value.amount, valid_from=value.valid_from or tx.at + LEAD
                    ))
                )  # fmt: skip
        late = await service.late_prices(tx, actor, prices=[price for _, price in good], currency=currency)
        prices = []
        for line, price in good:
            if (price.variant_id, price.valid_from) in late:
                faults.append(
                    Fault(line=line, field="valid_from", reason="it has been sold at the price of that moment already")
                )
            else:
                prices.append(price)
        changed = await service.set_prices(tx, actor, prices=prices, currency=currency)
        return Loaded({"prices set": changed, "unchanged": len(prices) - changed}, faults, len(prices))

    return load


async def run(
    db: Database, actor: Actor, path: Path, *, currency: str, dry_run: bool = False, errors: ErrorReport | None = None,
    tell: Tell | None = None, all_or_nothing: bool = False,
) -> Report:  # fmt: skip
    """Import a file of prices. Raises importing.ImportRefused."""
    reader = Reader(path, required=COLUMNS[:3], known=COLUMNS.__contains__)
    parse = (
        importing.csv_items(PriceLine, lambda fields: dict(present(fields)))
        if reader.format == "csv" else importing.json_items(PriceLine)
    )  # fmt: skip
    return await importing.run(
        db, actor, kind="prices", reader=reader, parse=parse, load=loader(currency), dry_run=dry_run,
        all_or_nothing=all_or_nothing, errors=errors, tell=tell,
    )  # fmt: skip
