"""Tools that agents may be granted, by subject."""
