"""The doctor: one function per thing that can be wrong, each with what to do about it."""
