"""Calibration: past tasks done again by several agents, judged, and paid for no longer than it is worth."""
