"""What learns: features, policies, reward and experiment statistics. No Kafka, no SQL."""
