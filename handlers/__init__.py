"""The hands: consumers and workers with side effects."""
