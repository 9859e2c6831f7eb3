"""The local servers: a real Kafka and a real Postgres, out of package registries, without Docker."""
