"""Tools that agents may be granted, one module a subject."""
