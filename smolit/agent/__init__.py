"""Versions of agents: what the log knows of them, and the folders that they come from."""
