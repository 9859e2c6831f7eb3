"""`python -m smolit` is `smolit`."""

from smolit.cli.app import main

if __name__ == "__main__":
    main()
