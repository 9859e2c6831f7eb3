"""Find the one arithmetic expression in an English or German question; what is not understood is refused, not guessed."""

import re

from agents.expression import ExpressionRefused

MOST_CHARS = 2_000

_ENGLISH_WORDS = (
    "what whats is are the value result of how much does please can could you tell me calculate compute evaluate solve "
    "work out find equal equals give answer to hi hello thanks thank and this for"
)
_GERMAN_WORDS = (
    "was ist sind wie wieviel viel ergibt ergeben macht berechne berechnen rechne rechnen aus bitte den wert das ergebnis "
    "von die der dies sag mir kannst du hallo danke und gib löse lautet betragen beträgt für"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_GERMAN = frozenset(_GERMAN_WORDS.split())
# Longer words first, so that "divided by" is not taken for something else.
_SPOKEN = (
    (re.compile(r"\b(?:to the power of|raised to|hoch)\b"), "**"),
    (re.compile(r"\b(?:multiplied by|times|multipliziert mit|mal)\b"), "*"),
    (re.compile(r"\b(?:divided by|geteilt durch|dividiert durch|durch)\b"), "/"),
    (re.compile(r"\bplus\b"), "+"),
    (re.compile(r"\bminus\b"), "-"),
    (re.compile(r"(?<=[\d)])(?<!\b0)\s*[x×]\s*(?=[\d(])"), "*"),
    (re.compile(r"(?<=[\d)])\s*:\s*(?=[\d(])"), "/"),
)
_PERCENT = re.compile(r"(?<![\d.,])(\d[\d.,]*)\s*(?:%|percent|per cent|prozent)\s+(?:of|von)\s+(?=[\d(])")
_NUMBER = r"\d(?:[\d.,]*\d)?"
# Orders that name both numbers; of a tax only its name goes, the percentage stays.
_ORDERS = (
    (re.compile(rf"\b(?:add|addiere)\s+({_NUMBER})\s+(?:to|and|zu|und)\s+({_NUMBER})"), r"\2 + \1"),
    (re.compile(rf"\b(?:subtract|subtrahiere)\s+({_NUMBER})\s+(?:from|von)\s+({_NUMBER})"), r"\2 - \1"),
    (re.compile(rf"\b(?:multiply|multipliziere)\s+({_NUMBER})\s+(?:by|with|and|mit)\s+({_NUMBER})"), r"\1 * \2"),
    (re.compile(rf"\b(?:divide|teile|dividiere)\s+({_NUMBER})\s+(?:by|durch)\s+({_NUMBER})"), r"\1 / \2"),
    (re.compile(r"(%|percent|per cent|prozent)\s+(?:vat|tax|mwst|mehrwertsteuer|ust)\s+(?:of|on|von|auf)\b"), r"\1 of"),
)
_SIGNS = str.maketrans({"·": "*", "⋅": "*", "×": "*", "÷": "/", "−": "-", "–": "-", "^": "**"})
_PIECE = re.compile(r"[\d.,()+\-*/%\s]*\d[\d.,()+\-*/%\s]*")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?")
_GERMAN_NUMBER = re.compile(r"\d{1,3}(?:\.\d{3})+(?!\d)(?:,\d+)?|\d+,\d+")
_WORD = re.compile(r"[^\W\d_]+")


def expression_in(text: str) -> str:
    """Return the expression in a question such as "What is 12 * (3 + 4)?", in Python's notation.

    Raises:
        ExpressionRefused: there is none, there are several, or the text says more than we understand.
    """
    if len(text) > MOST_CHARS:
        raise ExpressionRefused(f"the question has more than {MOST_CHARS} characters")
    plain = _symbols(text.lower().replace("what's", "what is").replace("what’s", "what is").strip())
    pieces = _PIECE.findall(plain)
    if len(pieces) != 1:
        raise ExpressionRefused("there is no expression" if not pieces else "there is more than one expression")
    around = plain.replace(pieces[0], " ", 1)
    words = _WORD.findall(around)
    _understood(around, words)
    return _numbers(_trimmed(pieces[0]), words)


def _symbols(text: str) -> str:
    """Return the text with spoken and typographic operators as signs."""
    text = text.translate(_SIGNS)
    for order, meant in _ORDERS:
        text = order.sub(meant, text)
    for spoken, sign in _SPOKEN:
        text = spoken.sub(f" {sign} ", text)
    return _PERCENT.sub(lambda share: _hundredths(share, text), text)


def _hundredths(share: re.Match[str], text: str) -> str:
    """Return "19 percent of" as a product; after another product or quotient it may mean two things, and stays as it is."""
    before = text[: share.start()].rstrip()
    return share[0] if before.endswith(("*", "/", "%")) else f"{share[1]} / 100 * "


def _understood(around: str, words: list[str]) -> None:
    """Refuse a text that holds more than the frame of a question."""
    strange = sorted(set(words) - _ENGLISH - _GERMAN)
    if strange:
        raise ExpressionRefused(f"{strange[0][:40]!r} is not part of a question of arithmetic")
    rest = _WORD.sub("", around).translate(str.maketrans("", "", "?!.,:= \t\r\n"))
    if rest:
        raise ExpressionRefused(f"{rest[0]!r} is not part of a question of arithmetic")


def _trimmed(piece: str) -> str:
    """Return the piece without the sentence's own full stop or comma."""
    return re.sub(r"[.,]$", "", piece.strip()).strip()


def _numbers(piece: str, words: list[str]) -> str:
    """Return the expression with numbers as Python writes them; commas mean what the question's language says."""
    if _is_german(words):
        return _no_comma(_GERMAN_NUMBER.sub(lambda m: m[0].replace(".", "").replace(",", "."), piece))
    if words:
        return _no_comma(_GROUPED.sub(lambda m: m[0].replace(",", ""), piece))
    if _GROUPED.search(piece):
        raise ExpressionRefused("without words, a comma may stand for thousands or for decimals")
    return _no_comma(re.sub(r"(?<=\d),(?=\d)", ".", piece))


def _is_german(words: list[str]) -> bool:
    """Say whether more of the words are German than English."""
    return sum(word in _GERMAN for word in words) > sum(word in _ENGLISH for word in words)


def _no_comma(piece: str) -> str:
    """Refuse a comma that is part of no number."""
    if "," in piece:
        raise ExpressionRefused("a comma is in a place where none belongs")
    return piece
