"""Versions of policies: made of the log, judged, promoted, looked up; `smolit.model.registry` is the way in from Python."""
