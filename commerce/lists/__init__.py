"""What a shopper keeps for later: wish lists, named lists, what he saved out of a cart."""

__all__: list[str] = []
