"""What happened: facts, envelope, topics and wire format. Pure: standard library and msgspec only."""
