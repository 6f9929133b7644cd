"""The books of the rooms against each other: goods against promises, promises against money, all of it against the events.

Owns nothing and does nothing but audit: its invariants may join any tables. Promises that what one room has on record about another's
document agrees with that document, and that nothing is on record without one.
"""

__all__: list[str] = []
