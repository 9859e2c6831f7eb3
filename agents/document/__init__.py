"""Documents: their text out of their bytes, and pieces of it that fit a model."""
