"""Finding entities in texts: by patterns, and by a model."""
