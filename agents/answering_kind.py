"""What a question asks for (money, a weight, a person, a number of things ...), and whether a sentence holds such a thing. Pure.

It is a small table of English words, no grammar: where no line of it fits, nothing is said.
"""

import re

_N = (
    r"(?:\d[\d.,:]*|\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|sixteen|eighteen|twenty|"
    r"thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|half|third|quarter|twice|once)\b)"
)
_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december|christmas|summer|winter"
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_SPAN = rf"{_N}\W+(?:\w+\W+)?(?:second|minute|hour|day|week|month|year|night)s?\b"
_YEAR = r"\b(?:1[5-9]|20)\d\d\b"
_LENGTH = rf"{_N}\W+(?:\w+\W+)?(?:metre|kilomet|centimet|millimet|mile|feet|inch|storey|floor)"
_MONEY = rf"{_N}\W+(?:euro|cent|dollar|percent|pound)|\bfree\b|for nothing|\bhalf\b|\bthird\b"
_NO_PERSON = rf"(?!(?:I\b|{_MONTH}|{_DAY}))"
_PERSON = (
    rf"(?<=[a-z,;:\"] )(?i:{_NO_PERSON})[A-Z][a-zé]+|"
    r"\b(?:head|leader|lead|captain|guard|mentor|boss|chair\w*|manager|cook|team|owner|seller|buyer|customers?|company|firm|staff|police)\b"
)
_PLACE = r"(?<=[a-z0-9,;:] )[A-Z][a-z]+|\b(?:in|at|to|from|beside|under|behind|near) (?:the|a|hall|room)\b"
_HOW_MANY = re.compile(r"\bhow many (\w+)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_BEHIND = 2
# What the question says, and what a sentence then has; the first line that fits counts.
_KINDS = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(told, 0 if told in (_PERSON, _PLACE) else re.IGNORECASE))
    for asked, told in (
        (r"\b(?:telephone|phone) number\b|\bnumber do i (?:ring|call)|\bwhom do i (?:ring|call)", r"\d{3,}"),
        (
            r"\b(?:costs?|price|fees?|fares?|salary|bonus|surcharge|earns?)\b|how much money|\b(?:how much|what)\b.*\bpay\b",
            _MONEY,
        ),
        (r"\bweighs?\b|\bheavy\b", rf"{_N}\W+(?:kilogram|kg\b|gram|tonne|ton\b)"),
        (r"\bhow (?:high|tall|far|deep|wide)\b|\bat what height\b", _LENGTH),
        (r"\bhow (?:warm|cold|hot)\b|\bhow many degrees\b|\btemperature\b", r"degree"),
        (r"\bhow often\b", r"\bevery\b|\bdaily\b|\bweekly\b|\bonce\b|\btwice\b|\d+ hours|\beach\b"),
        (r"\bhow fast\b", rf"{_SPAN}|\b(?:an?|per) (?:hour|second|minute)\b"),
        (r"\bhow (?:long|old)\b|\bhow much time\b|\bhow many (?:days|weeks|months|years|hours)\b", f"{_SPAN}|{_LENGTH}|{_YEAR}"),
        (r"\bwhen (?:was|were)\b.*\b(?:built|founded|born|made|held|opened|invented)\b|\bwhich year\b", _YEAR),
        (
            r"\bwhen\b|\bwhat time\b|\bwhich (?:day|months?)\b",
            rf"{_N}|{_MONTH}|{_DAY}|o'clock|\bbefore\b|\bafter\b|\blast\b|\bonce\b",
        ),
        (r"\bvoltage\b", r"\bvolts?\b"),
        (r"\bcolou?r\b", r"\b(?:red|green|blue|yellow|white|black|grey|gray|orange|brown|purple|silver)\b"),
        (r"\bhow (?:many|much|loud|large|big)\b", _N),
        (r"\bwho(?:m|se)?\b", _PERSON),
        (r"\bwhere\b|\bwhich (?:city|country|countries|town)\b|\baddress\b", _PLACE),
    )
)


def holds_kind(question: str, sentence: str) -> float:
    """Return 1 if a sentence holds what the question asks for, 0 if not, a half where the question does not tell."""
    for asked, told in _KINDS:
        if asked.search(question):
            return float(bool(told.search(sentence)))
    return 0.5


def thing_counted(question: str) -> str | None:
    """Return what a question wants the number of, as a word; None: it asks for no number of things."""
    found = _HOW_MANY.search(question)
    return found[1].lower() if found else None


def counted_in(sentence: str) -> set[str]:
    """Return the words that follow a number in a sentence, two behind each: what it may be the number of."""
    return {
        word.lower()
        for found in re.finditer(_N, sentence, re.IGNORECASE)
        for word in _WORD.findall(sentence[found.end() :])[:_BEHIND]
    }
