"""How a contained process ends where it is not the code itself that says so."""

UNCONTAINED, BROKEN = 97, 98  # a layer that is needed does not hold; the code raised
TALKS_TOO_MUCH = 99  # more output than the plan allows
