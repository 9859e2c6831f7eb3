"""How a network is trained: a process of its own (`python -m training FOLDER`), the only one that loads torch."""
