"""Access to language models: a chain of back ends that ends in a model on this machine."""
