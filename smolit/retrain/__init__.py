"""Versions that are trained: the log's history as rows, a process that trains, and what came of it on what it never saw."""
