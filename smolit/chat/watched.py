"""What can be shown of an answer while it is being made, and what is left to show once it is there. Pure.

Pieces may be missed, come twice, or begin anew in another worker; the answer itself settles what was said.
"""

from events.piece import PieceSpoken


class Watched:
    """The pieces of one answer so far."""

    def __init__(self) -> None:
        self.text = ""
        self._epoch = self._next = 0
        self._torn = False

    def take(self, piece: PieceSpoken) -> str | None:
        """Return what a piece adds to what is shown; None: nothing. With a gap before it the rest waits for the answer.

        A telling that begins anew (another worker took the message over) is not shown over the first one either.
        """
        if self._epoch == 0:
            self._epoch = piece.epoch
        if piece.epoch != self._epoch or piece.number > self._next:
            self._torn = self._torn or piece.epoch >= self._epoch
        if self._torn or piece.number < self._next or piece.epoch != self._epoch:
            return None
        self._next += 1
        self.text += piece.text
        return piece.text

    def rest(self, answer: str) -> str | None:
        """Return what is left of the answer; None: it does not go on where the pieces ended, and has to be shown whole."""
        if answer.startswith(self.text):
            return answer[len(self.text) :]
        return "" if self.text.rstrip() == answer.rstrip() else None
