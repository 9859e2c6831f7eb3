"""The command line: one module per noun, listed in `smolit.cli.catalog`."""
