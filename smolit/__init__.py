"""The switchboard: command line, settings, local stack and process runner."""
