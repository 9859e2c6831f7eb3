"""Finance: loans, cash flows, prices and portfolios. Pure; every result is finite, and every edge has a value or a name."""
