"""The checks: what must be true of the log, the tables and the providers once everything has settled."""
