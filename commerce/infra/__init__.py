"""The only code that touches the outside: db (who commits), outbox, http (the edge), live, log, health, audit, importing.

Owns the books of the machinery (`tables`). Knows no room. A front door of modules: `from commerce.infra.db import Database, Tx`.
"""
