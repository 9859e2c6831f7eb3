"""How work is done: one file per pipeline; `agents.catalog` lists them."""
