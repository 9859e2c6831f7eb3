"""The bench of the chat: scripted conversations against the house that runs."""
