"""Charts: what one shows, how it looks in a terminal, and how as a picture."""
