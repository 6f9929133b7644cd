"""What a bundle may be made of: ordinary variants, so that a bundle never holds a bundle and a cycle cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commerce.catalog.schemas import VariantInput

ARROW = " → "


def contradiction(variant: VariantInput) -> tuple[str, str] | None:
    """The field of a variant that contradicts another of its fields, and why; None when all agree."""
    if variant.tracking is not None and variant.quantity_unit is not None:
        return "tracking", "units with a code of their own are counted by the piece: leave out quantity_unit"
    if (variant.when_out == "preorder") != (variant.preorder_until is not None):
        return "preorder_until", "give it with when_out preorder, and with nothing else"
    if variant.preorder_until is not None and variant.preorder_until.tzinfo is None:
        return "preorder_until", "give the moment with its offset, e.g. 2026-05-01T06:00:00Z"
    if variant.components is None:
        return None
    if variant.quantity_unit is not None:
        return "quantity_unit", "a bundle is sold by the piece"
    skus = [component.sku for component in variant.components]
    if len(set(skus)) < len(skus):
        return "components", f"{max(skus, key=skus.count)} stands twice: give the sum"
    return of_a_bundle(variant)


def of_a_bundle(variant: VariantInput) -> tuple[str, str] | None:
    """What is asked of a bundle that only goods of its own could do; None when nothing is."""
    if variant.tracking is not None:
        return "tracking", "a bundle has no units of its own: its components are tracked"
    if variant.when_out != "deny":
        return "when_out", "a bundle does not wait: sell its components one by one before they are there"
    return None


def chain(sku: str, made_of: Mapping[str, Sequence[str]]) -> str | None:
    """Why a bundle among the given ones cannot be: the shortest way from it to another bundle or back to itself, as text.

    A way that leads back is named in full, so that whoever wrote the file sees the circle. None when it holds no bundle.
    """
    ways = [[sku, part] for part in made_of[sku] if part in made_of]
    seen = {sku}
    for way in ways:
        if way[-1] == sku:
            return ARROW.join(way)
        if way[-1] not in seen:
            seen.add(way[-1])
            ways.extend([*way, part] for part in made_of[way[-1]] if part in made_of)
    return ARROW.join(ways[0]) if ways else None
