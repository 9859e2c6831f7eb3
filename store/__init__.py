"""The ground: Postgres plumbing."""
