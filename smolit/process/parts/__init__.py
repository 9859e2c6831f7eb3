"""One module per process: how its parts are put together."""
