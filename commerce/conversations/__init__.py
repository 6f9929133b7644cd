"""What was said with customers by phone, messenger, mail or in a store, and what is still to be answered."""

__all__: list[str] = []
