"""Pure values without I/O: money, ids, actor, errors, events, paging, text types, clock.

Everything here can be imported by every room and imports none of them.
"""
