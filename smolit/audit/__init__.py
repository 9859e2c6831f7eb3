"""Is what the log says true? Choices, rewards and plans are made again from their facts and compared."""
