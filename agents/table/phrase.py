"""The words and phrases, English and German, in which people ask a table; marks stand for the columns and values they name."""

import re

_ENGLISH = (
    "what whats which is are was were the a an of in on for from all our my their there do does did have has had we i me "
    "show give tell list please with where whose that and by per each value values column rows row table file entries entry "
    "records record data result find calculate compute many much how it to at within over across"
)
_GERMAN = (
    "was wie hoch welche welcher welches welchen ist sind war waren der die das den dem des ein eine einer eines von im in für "
    "aus alle aller allen unser unsere es gibt hat haben hatte hatten zeige zeig gib mir nenne bitte mit wo deren und nach "
    "pro je wert werte werten spalte zeilen zeile tabelle datei einträge eintrag datensätze berechne ermittle viele viel "
    "wieviel wieviele zu bei über wird werden insgesamt beträgt"
)
FILLER = frozenset(f"{_ENGLISH} {_GERMAN}".split())
AGGREGATES: tuple[tuple[str, str], ...] = (
    (
        "count_distinct",
        r"(?:how many|number of|count(?: of)?|wie ?viele|anzahl(?: der)?)\s+(?:different|distinct|unique|verschiedenen?)",
    ),
    ("median", r"median(?:wert)?"),
    ("avg", r"averages?|mean|avg|durchschnitt(?:lich)?(?:e[rnms]?)?|mittelwert|im schnitt|im mittel"),
    ("sum", r"sum(?: of)?|totals?|overall|summe|gesamt(?:e[rnms]?)?|summiert"),
    (
        "max",
        r"max(?:imum|imal(?:e[rnms]?)?)?|highest|largest|biggest|greatest|most|top|höchste[rnms]?|größte[rnms]?|meisten?",
    ),
    (
        "min",
        r"min(?:imum|imal(?:e[rnms]?)?)?|lowest|smallest|least|fewest|niedrigste[rnms]?|kleinste[rnms]?|geringste[rnms]?|wenigsten?",
    ),
    ("count", r"how many|count|number of|wie ?viele?|anzahl"),
)
COMPARISONS: tuple[tuple[str, str], ...] = (
    (">=", r">=|at least|no less than|mindestens|wenigstens"),
    ("<=", r"<=|at most|no more than|up to|höchstens|maximal"),
    (">", r">|more than|greater than|larger than|higher than|above|over|exceeds?|größer als|mehr als|höher als|über"),
    ("<", r"<|less than|smaller than|lower than|below|under|fewer than|kleiner als|weniger als|niedriger als|unter"),
    ("=", r"==?|equals?|equal to|exactly|gleich|is|ist|was|war"),
)
COLUMN, VALUE, NUMBER = r"⟨c(\d+)⟩", r"⟨v(\d+)⟩", r"(-?\d+(?:[.,]\d+)?)"
GROUP = re.compile(
    r"(?:(?:grouped )?by|per|(?:for|in|of) (?:each|every)|nach|pro|je|für jede[nrs]?)\s+(?:the |der |dem )?"
    rf"{COLUMN}(?:\s+(?:and|und)\s+{COLUMN})?"
)
TOP = re.compile(
    r"\btop\s+(\d+)\b|\b(\d+)\s+(?=(?:highest|largest|biggest|lowest|smallest|höchsten|größten|kleinsten|niedrigsten)\b)"
)
TOP_OF = re.compile(
    rf"\b(?:top\s+)?(\d+)\s+(?:highest |largest |biggest |lowest |smallest |höchsten |größten |kleinsten )?{COLUMN}\s+"
    r"(?:by|nach|with|mit|in terms of)\b(?:\s+(?:the|der|dem|den))?"
)
WHICH = re.compile(rf"(?:which|what|who|welche[rsnm]?)\s+{COLUMN}\s+(?:has|have|had|hat|hatte|haben|is|ist|with|mit)\b")
RANGE = re.compile(r"\b(?:from|between|von|zwischen)\s+([12]\d{3})\s+(?:to|and|until|bis|und)\s+([12]\d{3})\b")
YEAR = re.compile(r"\b(since|after|before|until|seit|nach|vor|bis|in|im jahr|for|für)?\s*\b([12]\d{3})\b")
SIDES = {"since": ">=", "seit": ">=", "after": ">", "nach": ">", "before": "<", "vor": "<", "until": "<=", "bis": "<="}
NOT = re.compile(rf"(?:not|except|without|excluding|ohne|außer|nicht)\s+(?:in |from |aus )?{VALUE}")
