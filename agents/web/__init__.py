"""The way out: the one client that calls addresses which came from outside, or from a spec."""
