"""Searches for the settings of a policy, on what really happened; nothing that serves imports it."""
