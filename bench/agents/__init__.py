"""What each agent with a model is worth, measured: `smolit bench agents`."""
