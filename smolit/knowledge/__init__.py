"""Documents on their way into the store, how they are searched there, and which of them an answer rests on."""
