"""The brain: Faust stream processors."""
