"""Facts published by `catalog`."""

from __future__ import annotations

from typing import ClassVar

from commerce.kernel.events import Event


class ProductSaved(Event, frozen=True, kw_only=True):
    """A product, or one of its variants, was made or changed."""

    type: ClassVar[str] = "product.saved"
    aggregate: ClassVar[str] = "product"
    slug: str


class CategoryMoved(Event, frozen=True, kw_only=True):
    """A category lies elsewhere in the tree: what is said of categories above it is now said of other products."""

    type: ClassVar[str] = "category.moved"
    aggregate: ClassVar[str] = "category"
    code: str


class SaleStopped(Event, frozen=True, kw_only=True):
    """A variant was recalled: it can no longer be sold, in any channel."""

    type: ClassVar[str] = "variant.sale_stopped"
    aggregate: ClassVar[str] = "variant"
    sku: str


class SaleResumed(Event, frozen=True, kw_only=True):
    """A recalled variant can be sold again."""

    type: ClassVar[str] = "variant.sale_resumed"
    aggregate: ClassVar[str] = "variant"
    sku: str
