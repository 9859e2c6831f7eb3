"""How well each policy picks agents: one pass over recorded outcomes, through the code that serves."""
