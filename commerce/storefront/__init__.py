"""The shop window: lists, pages and searches that show products, prices and stock together.

Owns nothing; its queries may join any tables, on connections that can only read. Promises: a list of 24 is one statement, a product
page with every store three, whatever the number of variants and stores.
"""

__all__: list[str] = []
