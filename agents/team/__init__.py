"""Teamwork: plans, how they stand, what comes next, how results become one answer, and how contradictions are settled."""
