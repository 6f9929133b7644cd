"""Tables of `catalog`: Products, variants, barcodes, categories; the texts and codes that do not depend on a channel."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    TypedColumns,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from commerce.infra.tables import metadata


class TaxClassColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    name = Column(JSONB, nullable=False)


tax_classes = Table(
    "tax_classes",
    metadata,
    TaxClassColumns,
    schema="catalog",
)


class ReturnPolicyColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    name = Column(JSONB, nullable=False)
    change_of_mind_days = Column(Integer)
    defect_days = Column(Integer, nullable=False)


return_policies = Table(
    "return_policies",
    metadata,
    ReturnPolicyColumns,
    schema="catalog",
)


class CategoryColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    parent_id = Column(Uuid, ForeignKey("catalog.categories.id"))
    path: Column[list[str]] = Column(ARRAY(Text), nullable=False)
    name = Column(JSONB, nullable=False)
    position = Column(Integer, server_default="0", nullable=False)
    version = Column(Integer, server_default="1", nullable=False)


categories = Table(
    "categories",
    metadata,
    CategoryColumns,
    Index("ix_categories_path", "path", postgresql_using="gin"),
    schema="catalog",
)


class ProductColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    slug = Column(Text, unique=True, nullable=False)
    brand = Column(Text)
    title = Column(JSONB, nullable=False)
    description = Column(JSONB, nullable=False)
    category_id = Column(Uuid, ForeignKey("catalog.categories.id"), nullable=False)
    options = Column(JSONB, nullable=False)
    media = Column(JSONB, nullable=False)
    published = Column(Boolean, nullable=False)
    search = Column(TSVECTOR)
    external_ids = Column(JSONB, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    updated_at = Column(DateTime(timezone=True), nullable=False)


products = Table(
    "products",
    metadata,
    ProductColumns,
    Index("ix_products_category_id_id", "category_id", "id"),
    Index("ix_products_search", "search", postgresql_using="gin"),
    schema="catalog",
)


class VariantColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    product_id = Column(Uuid, ForeignKey("catalog.products.id"), nullable=False)
    sku = Column(Text, unique=True, nullable=False)
    position = Column(Integer, server_default="0", nullable=False)
    options = Column(JSONB, nullable=False)
    option_texts = Column(JSONB, nullable=False)
    weight_grams = Column(Integer)
    length_mm = Column(Integer)
    width_mm = Column(Integer)
    height_mm = Column(Integer)
    tax_class = Column(Text, ForeignKey("catalog.tax_classes.code"), nullable=False)
    return_policy = Column(Text, ForeignKey("catalog.return_policies.code"), nullable=False)
    sellable_from = Column(DateTime(timezone=True))
    sellable_until = Column(DateTime(timezone=True))
    stop_sale_reason = Column(Text)
    stop_sale_at = Column(DateTime(timezone=True))
    maximum_per_order = Column(Integer)
    quantity_unit = Column(Text)
    quantity_scale = Column(Integer, server_default="0", nullable=False)
    tracking = Column(Text)
    when_out = Column(Text, server_default="deny", nullable=False)
    preorder_until = Column(DateTime(timezone=True))
    bundle = Column(Boolean, server_default="false", nullable=False)
    external_ids = Column(JSONB, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    updated_at = Column(DateTime(timezone=True), nullable=False)


variants = Table(
    "variants",
    metadata,
    VariantColumns,
    Index("ix_variants_product_id_position", "product_id", "position"),
    CheckConstraint("weight_grams >= 0 AND length_mm >= 0 AND width_mm >= 0 AND height_mm >= 0", name="measures"),
    CheckConstraint("maximum_per_order > 0", name="maximum_per_order"),
    CheckConstraint(
        "quantity_scale BETWEEN 0 AND 6 AND (quantity_unit IS NOT NULL OR quantity_scale = 0)", name="quantity_scale"
    ),
    CheckConstraint("tracking IN ('serial', 'marked')", name="tracking_known"),
    CheckConstraint("when_out IN ('deny', 'backorder', 'preorder')", name="when_out_known"),
    CheckConstraint("(when_out = 'preorder') = (preorder_until IS NOT NULL)", name="preorder_until"),
    CheckConstraint("tracking IS NULL OR quantity_unit IS NULL", name="tracked_by_piece"),
    CheckConstraint(
        "NOT bundle OR (tracking IS NULL AND quantity_unit IS NULL AND when_out = 'deny')", name="bundle_of_others"
    ),
    schema="catalog",
)


class ComponentColumns(TypedColumns):
    bundle_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    component_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    quantity = Column(Integer, nullable=False)


components = Table(
    "components",
    metadata,
    ComponentColumns,
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("bundle_id <> component_id", name="not_itself"),
    Index("ix_components_component_id", "component_id"),
    schema="catalog",
)
"""What a bundle is made of; it has no stock of its own."""


class BarcodeColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    kind = Column(Text, nullable=False)
    quantity = Column(Integer, server_default="1", nullable=False)


barcodes = Table(
    "barcodes",
    metadata,
    BarcodeColumns,
    CheckConstraint("kind IN ('gtin8', 'gtin12', 'gtin13', 'gtin14', 'internal')", name="kind_known"),
    Index("ix_barcodes_variant_id", "variant_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    schema="catalog",
)
