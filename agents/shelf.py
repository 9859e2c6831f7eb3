"""The shelf: recorded outcomes that the recorded agents of one process share."""

from pathlib import Path
from threading import Lock

from learning.outcomes import Outcomes


class Shelf:
    """Reads each set once, whichever thread asks first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sets: dict[Path, Outcomes] = {}

    def outcomes(self, path: Path) -> Outcomes:
        """Return the set at `path`, which is given without `.scores.csv.gz`.

        Raises:
            OutcomesUnreadable: it is not there, or not what it should be.
        """
        with self._lock:
            if path not in self._sets:
                self._sets[path] = Outcomes.load(path.parent, path.name)
            return self._sets[path]
