"""Measurements: each module gives figures that somebody quotes, and says the command that reproduces them."""
