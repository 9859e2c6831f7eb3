"""How often a failed call may be tried again: at most one retry for every ten calls, saved up to a few.

Source: Google SRE book, chapter "Handling Overload", retry budget.
"""

SHARE = 0.1
MOST_SAVED = 5.0


class Retries:
    """Counts calls, and lets a tenth as many be repeated."""

    def __init__(self, share: float = SHARE, most_saved: float = MOST_SAVED) -> None:
        self._share, self._most = share, most_saved
        self._saved = 0.0

    def called(self) -> None:
        """Note a first call."""
        self._saved = min(self._most, self._saved + self._share)

    def take(self) -> bool:
        """Say whether one more may be made, and count it."""
        if self._saved < 1.0 - 1e-9:
            return False
        self._saved = max(0.0, self._saved - 1.0)
        return True
