"""`storefront` keeps no tables: it only reads those of the rooms below."""
