"""Versions of policies in MLflow's tables, as one more projection of our own facts; nothing that serves imports it."""
