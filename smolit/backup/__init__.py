"""Backup and restore: the log as compressed segments, and the tables that cannot be folded from it."""
