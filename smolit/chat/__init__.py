"""Conversations from the command line: signing in, sending, waiting for what becomes of a message, and the chat."""
