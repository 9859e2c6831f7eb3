"""The processes of smolit: how each is built, watched over and stopped."""
