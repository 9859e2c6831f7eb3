"""The road: Kafka plumbing."""
