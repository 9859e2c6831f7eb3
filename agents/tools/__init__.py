"""Tools that agents may be granted: one module is one subject; `agents/tools/catalog.py` lists them."""
