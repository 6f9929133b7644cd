"""Text types of the API: bounded, and never with U+0000, which PostgreSQL cannot store."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

NO_NUL = r"^[^\x00]*$"

Code = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Lower-case code of a thing kept as data")
]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$", description="Part of an address of a page")]
Sku = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$", max_length=64, description="Stock-keeping unit")
]
ShortText = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
LongText = Annotated[str, Meta(max_length=10_000, pattern=NO_NUL)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL, description="Why, for the next reader")]
Language = Annotated[str, Meta(pattern="^(ru|en)$", description="ru or en")]
LocalisedText = dict[Language, LongText]
Quantity = Annotated[
    int, Meta(ge=1, le=1_000_000, description="Steps of the variant's quantity unit; each when it has none")
]
IdText = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="Id of a thing, as it was answered")
]
"""An id in the query of a request: the framework takes `null` for an absent UUID."""
