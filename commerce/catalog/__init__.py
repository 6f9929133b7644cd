"""Products, variants, barcodes, categories: the texts and codes that do not depend on a channel or a place.

Promises: reads are batched and one statement each; a SKU never moves to another product; a barcode stands for one variant
and one quantity; a stopped sale holds in every channel from the next statement on. Knows no price and no stock.
"""

from commerce.catalog.barcodes import unit_code, unit_on_label
from commerce.catalog.errors import BadProduct, UnknownCategory, UnknownProduct, UnknownSku, WholeChainOnly
from commerce.catalog.lookup import Article, articles
from commerce.catalog.queries import (
    asking,
    by_sku,
    by_skus,
    category_paths,
    check_categories,
    id_known,
    of_products,
    return_policies,
    tracking_of,
    variants,
    variants_in,
    variants_of_product,
)
from commerce.catalog.schemas import (
    BarcodeInput,
    CategoryInput,
    Component,
    ComponentInput,
    MediaInput,
    OptionInput,
    ProductInput,
    QuantityUnit,
    ReturnPolicy,
    ReturnPolicyInput,
    TaxClassInput,
    Upserted,
    Variant,
    VariantInput,
    refusal_of,
)
from commerce.catalog.service import set_return_policies, set_tax_classes, upsert_categories, upsert_products

__all__ = [
    "Article",
    "BadProduct",
    "BarcodeInput",
    "CategoryInput",
    "Component",
    "ComponentInput",
    "MediaInput",
    "OptionInput",
    "ProductInput",
    "QuantityUnit",
    "ReturnPolicy",
    "ReturnPolicyInput",
    "TaxClassInput",
    "UnknownCategory",
    "UnknownProduct",
    "UnknownSku",
    "Upserted",
    "Variant",
    "VariantInput",
    "WholeChainOnly",
    "articles",
    "asking",
    "by_sku",
    "by_skus",
    "category_paths",
    "check_categories",
    "id_known",
    "of_products",
    "refusal_of",
    "return_policies",
    "set_return_policies",
    "set_tax_classes",
    "tracking_of",
    "unit_code",
    "unit_on_label",
    "upsert_categories",
    "upsert_products",
    "variants",
    "variants_in",
    "variants_of_product",
]
