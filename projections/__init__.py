"""The memory: Postgres read models, rebuilt from events at will; one file is one read model."""
