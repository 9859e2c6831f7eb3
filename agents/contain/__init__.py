"""Contained code: programs of strangers run in a process that can read what it was given, and reach nothing else.

`run.py` starts it; `jail.py` is the process, which locks itself in with the layers of `kernel.py` (namespaces, privileges),
`landlock.py` and `seccomp.py`. The process imports only the standard library.
"""
