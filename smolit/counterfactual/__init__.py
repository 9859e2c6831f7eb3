"""What would have come of other choices: replayed on what was decided, or living on by themselves from a moment on."""
