"""THE price list: one price per variant from a moment on, and the tax rates that apply to it.

Promises: one list for every channel and location (decision 0001); a price that was in force never changes, and the price of a
moment is known from that moment on: whoever asks for it then or ever after gets the same answer (`LEAD`); a quote of any number
of variants is one statement. Nothing else may hold a price.
"""

from commerce.prices.errors import NoPrice, PriceInPast, WrongCurrency
from commerce.prices.queries import listed, listing, lowest, quote
from commerce.prices.schemas import ListPrice, LowestPrice, NewPrice, NewTaxRate, Price
from commerce.prices.service import LEAD, set_prices, set_tax_rates

__all__ = [
    "LEAD",
    "ListPrice",
    "LowestPrice",
    "NewPrice",
    "NewTaxRate",
    "NoPrice",
    "Price",
    "PriceInPast",
    "WrongCurrency",
    "listed",
    "listing",
    "lowest",
    "quote",
    "set_prices",
    "set_tax_rates",
]
