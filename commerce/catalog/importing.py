"""Import of the catalog from CSV and NDJSON: upsert by slug and SKU.

NDJSON: one product with its variants per line, as in `PUT /v1/products/{slug}` plus `slug`. CSV: one variant per row; rows of one
product stand together and repeat its fields. Columns, of which slug, sku, category, tax_class and return_policy are required:

    slug brand title.ru title.en description.ru description.en category published media
    sku option.<code> option_text.<ru|en>.<code> option_name.<ru|en>.<code> barcodes weight_grams length_mm width_mm height_mm
    tax_class return_policy sellable_from sellable_until stop_sale_reason maximum_per_order quantity_unit quantity_scale
    tracking when_out preorder_until components

`media`, `barcodes` and `components` hold several values divided by `|`; a barcode may carry the quantity it stands for,
`14601234567897*12`, a component how many of it are in the bundle, `HOODIE-M:1|SOCKS:2`. Components stand before their bundle or
in one chunk with it: bundles at the end of the file are always right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from commerce.catalog import service
from commerce.catalog.schemas import ProductInput
from commerce.infra import importing
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, Fault, Item, Line, Loaded, Reader, Report, Tell, present
from commerce.kernel.actor import Actor

REQUIRED = ("slug", "sku", "category", "tax_class", "return_policy")
OF_PRODUCT = ("brand", "category", "published")
OF_VARIANT = (
    "sku", "weight_grams", "length_mm", "width_mm", "height_mm", "tax_class", "return_policy", "sellable_from",
    "sellable_until", "stop_sale_reason", "maximum_per_order", "tracking", "when_out", "preorder_until",
)  # fmt: skip
KNOWN = {"slug", "media", "barcodes", "components", "quantity_unit", "quantity_scale", *OF_PRODUCT, *OF_VARIANT}
LANGUAGES = ("ru", "en")


class Entry(Struct, frozen=True):
    """A product of the file and the lines its variants came from."""

    product: ProductInput
    lines: dict[str, int]


def known(column: str) -> bool:
    """Whether a column means something."""
    parts = column.split(".")
    if parts[0] in ("title", "description"):
        return len(parts) == 2 and parts[1] in LANGUAGES
    if parts[0] in ("option_text", "option_name"):
        return len(parts) == 3 and parts[1] in LANGUAGES
    return column in KNOWN or (parts[0] == "option" and len(parts) == 2)


def _nested(fields: dict[str, str], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        head, *parts = name.split(".")
        if head == prefix:
            place = found
            for part in parts[:-1]:
                place = place.setdefault(part, {})
            place[parts[-1]] = value
    return found


def product_of(fields: dict[str, str], options: Sequence[str]) -> dict[str, Any]:
    """The product that a row repeats."""
    names = _nested(fields, "option_name")
    product: dict[str, Any] = {name: fields[name] for name in OF_PRODUCT if name in fields}
    product["slug"] = fields.get("slug", "")
    product["title"] = _nested(fields, "title")
    product["description"] = _nested(fields, "description")
    product["media"] = [{"url": url.strip()} for url in fields.get("media", "").split("|") if url.strip()]
    product["options"] = [
        {"code": code, "name": {lang: texts[code] for lang, texts in names.items() if code in texts} or {"en": code}}
        for code in options
    ]
    return product


def variant_of(fields: dict[str, str]) -> dict[str, Any]:
    """The variant of a row."""
    variant: dict[str, Any] = {name: fields[name] for name in OF_VARIANT if name in fields}
    variant["options"] = _nested(fields, "option")
    variant["option_texts"] = _nested(fields, "option_text")
    if "barcodes" in fields:
        variant["barcodes"] = []
        for text in fields["barcodes"].split("|"):
            code, _, quantity = text.strip().partition("*")
            variant["barcodes"].append({"code": code, "quantity": quantity or "1"})
    if "components" in fields:
        variant["components"] = []
        for text in fields["components"].split("|"):
            sku, _, quantity = text.strip().partition(":")
            variant["components"].append({"sku": sku.strip(), "quantity": quantity.strip() or "1"})
    if "quantity_unit" in fields:
        variant["quantity_unit"] = {"unit": fields["quantity_unit"], "scale": fields.get("quantity_scale", "0")}
    return variant


def csv_products(lines: Iterator[Line]) -> Iterator[Item[Entry] | Fault]:
    """Rows that stand together and name one slug are one product."""
    for slug, group in groupby(lines, key=lambda line: (line.fields or {}).get("slug", "").strip()):
        variants: list[dict[str, Any]] = []
        numbers: list[int] = []
        head: dict[str, Any] | None = None
        options: dict[str, None] = {}
        rows = [(line.number, present(line.fields or {})) for line in group]
        for _, fields in rows:
            options |= dict.fromkeys(_nested(fields, "option"))
        for number, fields in rows:
            product = product_of(fields, list(options))
            if head is None:
                head = product
            elif differing := next(
                (name for name in ("title", *OF_PRODUCT) if product.get(name) != head.get(name)), None
            ):
                yield Fault(
                    line=number, field=differing, reason=f"it differs from line {numbers[0]} of the same product"
                )
                continue
            variants.append(variant_of(fields))
            numbers.append(number)
        yield from _converted(slug, head or {}, variants, numbers)


def _converted(
    slug: str, head: dict[str, Any], variants: list[dict[str, Any]], numbers: list[int]
) -> Iterator[Item[Entry] | Fault]:
    while variants:
        try:
            product = msgspec.convert({**head, "slug": slug, "variants": variants}, ProductInput, strict=False)
        except msgspec.ValidationError as error:
            field, reason = importing.field_of(error)
            index = 0
            if field.startswith("variants["):
                place, _, field = field.removeprefix("variants[").partition("]")
                index = int(place) if place.isdigit() else _culprit(head, slug, variants)
            elif field != "variants":
                yield from (Fault(line=number, field=field, reason=reason) for number in numbers)
                return
            yield Fault(line=numbers[index], field=field.lstrip("."), reason=reason)
            del variants[index], numbers[index]
            continue
        yield Item(
            numbers[-1], len(variants),
            Entry(product, {variant.sku: number for variant, number in zip(product.variants, numbers, strict=True)}),
        )  # fmt: skip
        return


def _culprit(head: dict[str, Any], slug: str, variants: list[dict[str, Any]]) -> int:
    for index, variant in enumerate(variants):
        try:
            msgspec.convert({**head, "slug": slug, "variants": [variant]}, ProductInput, strict=False)
        except msgspec.ValidationError:
            return index
    return 0


def json_products(lines: Iterator[Line]) -> Iterator[Item[Entry] | Fault]:
    """One product per line."""
    for item in importing.json_items(ProductInput, lambda product: len(product.variants))(lines):
        if isinstance(item, Fault):
            yield item
        else:
            yield Item(
                item.line, item.rows, Entry(item.value, dict.fromkeys((v.sku for v in item.value.variants), item.line))
            )


async def load(tx: Tx, actor: Actor, items: Sequence[Item[Entry]]) -> Loaded:
    """Upsert a chunk of products; those with a fault are left out."""
    await service.lock(tx)
    products = [item.value.product for item in items]
    line_of = {item.value.product.slug: min(item.value.lines.values()) for item in items}
    lines = {(item.value.product.slug, sku): line for item in items for sku, line in item.value.lines.items()}
    found = service.faults_within(products)
    found += await service.faults_against(tx, products)
    found += service.faults_of_the_left_out(products, found)
    wrong = {(fault.slug, fault.sku) for fault in found}
    good = []
    for product in products:
        if (product.slug, None) in wrong:
            continue
        variants = [variant for variant in product.variants if (product.slug, variant.sku) not in wrong]
        if variants:
            good.append(
                product
                if len(variants) == len(product.variants)
                else msgspec.structs.replace(product, variants=variants)
            )
    done = await service.put_products(tx, actor, good) if good else None
    faults = [
        Fault(
            line=lines[fault.slug, fault.sku] if fault.sku else line_of[fault.slug],
            field="barcodes" if fault.kind == "barcode_elsewhere" else fault.field, reason=fault.reason,
        )
        for fault in found
    ]  # fmt: skip
    if done is None:
        return Loaded({}, faults, 0)
    counts = {
        "products created": done.products_created, "products changed": done.products_changed,
        "products unchanged": done.products_unchanged,
    }  # fmt: skip
    return Loaded(counts, faults, done.variants)


async def run(
    db: Database,
    actor: Actor,
    path: Path,
    *,
    currency: str,  # noqa: ARG001 - every room's importer is called alike
    dry_run: bool = False,
    errors: ErrorReport | None = None,
    tell: Tell | None = None,
    all_or_nothing: bool = False,
) -> Report:
    """Import a file of products. Raises importing.ImportRefused."""
    reader = Reader(path, required=REQUIRED, known=known)
    parse = csv_products if reader.format == "csv" else json_products
    return await importing.run(
        db, actor, kind="catalog", reader=reader, parse=parse, load=load, dry_run=dry_run, all_or_nothing=all_or_nothing,
        errors=errors, tell=tell,
    )  # fmt: skip
