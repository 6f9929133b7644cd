"""What `catalog` takes in and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.text import NO_NUL, Code, LocalisedText, Reason, ShortText, Sku, Slug

Tracking = Literal["serial", "marked"]
WhenOut = Literal["deny", "backorder", "preorder"]
Refusal = Literal["unpublished", "not_yet", "ended", "stop_sale"]
BarcodeKind = Literal["gtin8", "gtin12", "gtin13", "gtin14", "internal"]
BarcodeText = Annotated[str, Meta(pattern=r"^[!-~]{1,64}$", description="Digits of a GTIN, or an internal code")]
OptionCode = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_]{0,31}$")]
OptionValue = Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NUL)]
Options = Annotated[dict[OptionCode, OptionValue], Meta(max_length=10)]
Millimetres = Annotated[int, Meta(ge=0, le=100_000)]
Grams = Annotated[int, Meta(ge=0, le=10_000_000)]
UnitCode = Annotated[str, Meta(pattern="^[A-Z0-9]{2,3}$", description="UN/ECE Recommendation 20, e.g. MTR")]
Scale = Annotated[int, Meta(ge=0, le=6, description="One step is 10^-scale of the unit")]
PerOrder = Annotated[int, Meta(ge=1, le=1_000_000)]


def refusal_of(variant: Any, at: datetime) -> Refusal | None:
    """Why a variant cannot be sold at a moment, in any channel; None when it can."""
    if variant.stop_sale_reason is not None:
        return "stop_sale"
    if not variant.published:
        return "unpublished"
    if variant.sellable_from is not None and at < variant.sellable_from:
        return "not_yet"
    if variant.sellable_until is not None and at >= variant.sellable_until:
        return "ended"
    return None


class Component(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So many units of an ordinary variant in one bundle."""

    variant_id: UUID
    sku: str
    quantity: int
    tracking: Tracking | None = None
    """Set when its units have codes of their own."""


class Variant(Struct, frozen=True, kw_only=True):
    """A thing that can be sold, as other rooms see it. `media` is the address of its first picture."""

    id: UUID
    product_id: UUID
    sku: str
    slug: str
    title: dict[str, str]
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    tax_class: str
    return_policy: str
    change_of_mind_days: int | None
    """None: the policy shuts out a change of mind."""
    defect_days: int
    published: bool
    sellable_from: datetime | None
    sellable_until: datetime | None
    stop_sale_reason: str | None
    maximum_per_order: int | None
    quantity_unit: str | None
    quantity_scale: int
    media: str | None
    category_path: list[str]
    """Codes of its category and those above it, from the root down."""
    tracking: Tracking | None = None
    """Whose units have codes of their own: `serial` numbers, or `marked` goods."""
    when_out: WhenOut = "deny"
    preorder_until: datetime | None = None
    components: tuple[Component, ...] = ()
    """What a bundle is made of, by SKU; empty unless it is one."""

    @property
    def bundle(self) -> bool:
        """Whether it is made of other variants and has no stock of its own."""
        return bool(self.components)

    def may_wait(self, at: datetime) -> bool:
        """Whether it may be promised at a moment from what is only announced."""
        if self.when_out == "preorder":
            return self.preorder_until is not None and at < self.preorder_until
        return self.when_out == "backorder"

    def refusal(self, at: datetime) -> Refusal | None:
        """Why it cannot be sold at a moment, in any channel; None when it can."""
        return refusal_of(self, at)


class ReturnPolicy(Struct, frozen=True, kw_only=True):
    """Days from hand-over within which goods come back, as other rooms see them."""

    code: str
    change_of_mind_days: int | None
    """None: the policy shuts out a change of mind."""
    defect_days: int


class BarcodeInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code on the goods and the quantity it stands for (steps of the quantity unit). The kind follows from the digits when left out."""

    code: BarcodeText
    kind: BarcodeKind | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class MediaInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A picture by reference."""

    url: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[!-~]+$")]
    alt: LocalisedText = {}


class OptionInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the variants of a product differ in, e.g. size."""

    code: OptionCode
    name: LocalisedText


class QuantityUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sold by measure: one step is 10^-scale of the unit. Absent: sold by the piece."""

    unit: UnitCode
    scale: Scale = 0


class ComponentInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units (steps of its quantity unit) of another variant in one bundle."""

    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=10_000)] = 1


class VariantInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variant to make or change, found by its SKU."""

    sku: Sku
    options: Options = {}
    option_texts: dict[Annotated[str, Meta(pattern="^(ru|en)$")], Options] = {}
    barcodes: Annotated[list[BarcodeInput], Meta(max_length=50)] | None = None
    """All of them; left out or null leaves them as they are."""
    weight_grams: Grams | None = None
    length_mm: Millimetres | None = None
    width_mm: Millimetres | None = None
    height_mm: Millimetres | None = None
    tax_class: Code
    return_policy: Code
    sellable_from: datetime | None = None
    sellable_until: datetime | None = None
    stop_sale_reason: Reason | None = None
    """Stops the sale of a variant that is new or not stopped; a recall is lifted by resume alone, never by leaving this out."""
    maximum_per_order: PerOrder | None = None
    quantity_unit: QuantityUnit | None = None
    tracking: Tracking | None = None
    """Its units have codes of their own, which must be named when they are sold: `serial` numbers, or `marked` goods."""
    when_out: WhenOut = "deny"
    """Sold while nothing is there: not at all, from what is announced (`backorder`), or so until a moment (`preorder`)."""
    preorder_until: datetime | None = None
    """With `preorder` alone; a new moment lies ahead."""
    components: Annotated[list[ComponentInput], Meta(min_length=1, max_length=50)] | None = None
    """Makes a new variant a bundle of ordinary ones, which exist or are in the same set. A bundle stays one, an ordinary
    variant never becomes one; left out or null leaves the components as they are."""


class ProductData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product to make or change. Its variants are upserted by SKU; those not named stay as they are."""

    brand: ShortText | None = None
    title: LocalisedText
    description: LocalisedText = {}
    category: Code
    options: Annotated[list[OptionInput], Meta(max_length=10)] = []
    media: Annotated[list[MediaInput], Meta(max_length=50)] = []
    published: bool = True
    variants: Annotated[list[VariantInput], Meta(min_length=1, max_length=1000)]


class ProductInput(ProductData, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product by its slug: one record of an import."""

    slug: Slug


class CategoryInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A category; its parent exists already or stands before it in the same set."""

    code: Code
    parent: Code | None = None
    name: LocalisedText
    position: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class TaxClassInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tax class; its rates are `prices`'."""

    code: Code
    name: LocalisedText


class ReturnPolicyInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days from hand-over within which goods come back. `change_of_mind_days` null shuts out a change of mind."""

    code: Code
    name: LocalisedText
    change_of_mind_days: Annotated[int, Meta(ge=0, le=3650)] | None = None
    defect_days: Annotated[int, Meta(ge=0, le=3650)]


class Upserted(Struct, frozen=True, kw_only=True):
    """What an upsert did, in variants and products."""

    products_created: int
    products_changed: int
    products_unchanged: int
    variants: int
    variant_ids: dict[str, UUID]
    """SKU -> id of every variant given."""


class StopSale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recall: the variant can no longer be sold, in any channel, from this moment."""

    reason: Reason


class ResumeSale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the variant may be sold again."""

    reason: Reason


class BarcodeView(Struct, frozen=True, kw_only=True):
    """A code on the goods and the quantity it stands for."""

    code: str
    kind: str
    quantity: int


class ComponentView(Struct, frozen=True, kw_only=True):
    """So many units of another variant in one bundle."""

    sku: str
    quantity: int


class VariantView(Struct, frozen=True, kw_only=True):
    """A variant with everything that does not change with the moment, the channel or the place."""

    sku: str
    product: str
    """Slug of the product."""
    title: dict[str, str]
    brand: str | None
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    barcodes: list[BarcodeView]
    weight_grams: int | None
    length_mm: int | None
    width_mm: int | None
    height_mm: int | None
    tax_class: str
    return_policy: str
    change_of_mind_days: int | None
    defect_days: int
    sellable: bool
    refusal: Refusal | None
    sellable_from: datetime | None
    sellable_until: datetime | None
    stop_sale_reason: str | None
    maximum_per_order: int | None
    quantity_unit: QuantityUnit | None
    tracking: Tracking | None
    when_out: WhenOut
    preorder_until: datetime | None
    components: list[ComponentView]
    """What a bundle is made of; empty unless it is one."""
    media: list[dict[str, Any]]
    version: int


class ProductView(Struct, frozen=True, kw_only=True):
    """A product as the back office edits it."""

    slug: str
    brand: str | None
    title: dict[str, str]
    description: dict[str, str]
    category: str
    options: list[dict[str, Any]]
    media: list[dict[str, Any]]
    published: bool
    variants: list[VariantView]
    version: int


class CategoryView(Struct, frozen=True, kw_only=True):
    """A category with its sub-categories, and how many published products lie in it or below."""

    code: str
    name: dict[str, str]
    products: int
    children: list[CategoryView]


class ScanView(Struct, frozen=True, kw_only=True):
    """What a scanner read: the variant, the quantity the code stands for, and how it was understood."""

    sku: str
    quantity: int
    """Steps of the quantity unit; pieces when it has none."""
    understood_as: Literal["gtin", "internal", "sku"]
    gtin: str | None
    """14 digits, when it was a GTIN."""
    variant: VariantView
