"""How a worker uses tools: plan, call, observe, answer; limits and grants are kept by code, never by a model."""
