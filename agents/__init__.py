"""Who works: agent specs and the pipelines behind them."""
