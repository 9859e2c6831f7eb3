"""Follow-ups: a turn that only makes sense after the task before it, made whole. By rules, English and German. Pure.

`And over 36 months?` is the task before with another number, `times two` goes on with its result, `And this one: ...` is the same
about another text; for an assistant what was asked and answered goes along.
"""

import re

from msgspec import Struct

_ASSISTANT = "assistant"
_MOST_SHORT = 7  # words of a turn that asks an assistant for the same otherwise
_CORRECTS = re.compile(
    r"^\W*(?:(?:no|sorry|wait|oops|hm+|actually|nein|entschuldigung|moment)\b\W*)*"
    r"(?:(?:i|ich)\s+(?:meant|mean|wanted|meinte|wollte)|make (?:that|it)|rather|better|i should have said"
    r"|lieber)\b\W*(?P<what>.+?)\W*$",
    re.IGNORECASE,
)
_INSTEAD = re.compile(
    r"\b(?:with|use|take|mit|nimm)\s+(?P<new>-?\d[\d.,]*%?)\s+(?:instead of|rather than|not|statt|anstatt"
    r"|anstelle von)\s+(?P<old>-?\d[\d.,]*%?)",
    re.IGNORECASE,
)
_SAME_WITH = re.compile(
    r"\b(?:same|again|dasselbe|das gleiche|nochmal|noch mal)\b.{0,20}\b(?:with|for|mit|für)\s+(?P<new>-?\d[\d.,]*)\W*$", re.I
)
_THE_SAME_TEXT = re.compile(
    r"\b(?:which|who|what|how many|any|welche\w*|wer)\b.{0,20}\b(?:of (?:them|those|these|it)|there|in it|davon|darin"
    r"|in there)\b",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"^\W*(?:and |but |now |please |bitte |can you )*(?:make it|more|less|much|a bit|a little|in|as|any|another|something"
    r"|again|once more|one more|\w+er\b"
    r"|noch|etwas|kürzer|länger|einfacher|auf)\b",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    r"^\W*(?:(?:that|this|it)(?:'ll| will| would)? (?:do|helps?|works?|is (?:fine|good|great|enough|perfect|nice|all))"
    r"|that's|thanks?|thank you|ok(?:ay)?"
    r"|great|perfect|good|nice|wow|cool|lovely|beautiful|interesting|i see|i like|danke|super|prima|alles klar|i'll (?:take"
    r"|use) it)\b",
    re.IGNORECASE,
)
_NAMED_TIMES = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|januar|februar|märz|mai"
    r"|juni|juli|oktober"
    r"|dezember|monday|tuesday|wednesday|thursday|friday|saturday|sunday|q[1-4]|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_TIMES = ((re.compile(r"^\W*(?:now |then |and |so )*(?:double|verdopple)\b", re.I), "({}) * 2"),
          (re.compile(r"^\W*(?:now |then |and |so )*(?:halve|half of|halbiere)\b", re.I), "({}) / 2"),
          (re.compile(r"^\W*(?:now |then |and |so )*square\b", re.I), "({}) ^ 2"))  # fmt: skip
_MOST_WORDS = 14  # of a follow-up, what stands behind a colon apart: longer ones stand by themselves
_LEAD = re.compile(
    r"^\W*(?:ok(?:ay)?[, ]+)?(?:and|now|then|also|or|but|what about|how about|what if|the same|same|und|nun|jetzt|dann|oder"
    r"|auch"
    r"|was ist mit|wie ist es mit|dasselbe)\b",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\b(it|that|this|them|those|the result|he|she|his|her|shorter|longer|cheaper|else|es|das|davon|er|sie|kürzer)\b", re.I
)
_YOU = re.compile(r"\b(you|your|du|dich|dir|dein\w*|i|ich)\b", re.IGNORECASE)
_NUMBER = r"(?P<number>-?\d[\d_]*(?:[.,]\d+)?|two|three|four|five|six|seven|eight|nine|ten|zwei|drei|vier|fünf|zehn)"
_WORDS = {
    **dict(zip("two three four five six seven eight nine ten".split(), range(2, 11), strict=True)),  # noqa: SIM905
    **{"zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "zehn": 10},
}
_STEPS: tuple[tuple[str, "re.Pattern[str]"], ...] = tuple(
    (
        sign,
        re.compile(
            rf"(?:{words})\s*(?:that |it |this |das |by |durch |with |mit )*{_NUMBER}\b(?!\s*(?:%|percent))", re.IGNORECASE
        ),
    )
    for sign, words in (
        ("*", r"\btimes|\bmultipl\w+|\bmal\b|[*×]"),
        ("/", r"\bdivided?\b|\bdurch\b|\bgeteilt\b|/"),
        ("-", r"\bminus\b|\bless\b|\bsubtract\b|\btake away\b|\bweniger\b|\bzieh\b"),
        ("+", r"\bplus\b|\badd\b|\baddiere\b|\+"),
    )
)
_MEASURED = re.compile(r"(?P<number>\d[\d.,]*)\s*(?P<unit>%|[^\W\d_]+)")
_UNITS = {"%": "percent", "prozent": "percent", "monate": "month", "monat": "month", "jahre": "year", "jahr": "year"}


class Before(Struct, frozen=True):
    """The task that was answered last: what was asked of whom, what the answer reads, and its number where it is one."""

    text: str
    kind: str | None
    answer: str
    value: str | None = None


def followed(text: str, before: Before) -> str | None:
    """Return the whole task that a follow-up is, for the same kind of agent; None: it stands by itself."""
    head, colon, material = text.partition(":")
    if len(head.split()) > _MOST_WORDS:
        return None
    if colon and material.strip():
        return _about_another(head, material.strip(), before)
    if (corrected := _corrected(text, before.text)) is not None:
        return corrected
    leads = bool(_LEAD.match(text))
    if before.value is not None and (step := _step(text, before.value, leads)) is not None:
        return step
    if leads and (changed := _measured_otherwise(text, before.text) or _at_another_time(text, before.text)) is not None:
        return changed
    if before.kind != _ASSISTANT and _THE_SAME_TEXT.search(text) and (material := before.text.partition(":")[2].strip()):
        return f"{text.rstrip(' ?.!')}: {material}"
    if before.kind == _ASSISTANT and _goes_on(text, leads):
        return f"First I asked: {before.text}\nThe answer was: {before.answer}\nNow: {text}"
    return None


def _goes_on(text: str, leads: bool) -> bool:
    """Say whether a turn goes on with what an assistant answered: it points back, or asks for the same otherwise."""
    if _CLOSES.match(text) or _YOU.search(text):
        return False
    short = len(text.split()) <= _MOST_SHORT
    return leads or bool(_BACK.search(text)) or (short and bool(_OTHERWISE.match(text)))


def _corrected(text: str, before: str) -> str | None:
    """Return the task before as it was meant: `no, I meant 9 percent`, `the same with 12 instead of 7`."""
    if (swap := _INSTEAD.search(text)) is not None:
        whole, count = re.subn(rf"(?<![\d.,]){re.escape(swap['old'])}(?![\d])", swap["new"], before)
        return whole if count == 1 else None
    meant = _CORRECTS.match(text)
    if meant is None:
        again = _SAME_WITH.search(text)
        return _only_number(again["new"], before) if again is not None else None
    what = meant["what"]
    return _measured_otherwise(what, before) or _after_same_words(what, before) or _only_number(what, before)


def _after_same_words(what: str, before: str) -> str | None:
    """Return the task with another number behind the same words: `divided by 5` for `divided by 4`."""
    at = re.match(r"(?P<words>\D*?\S)\s*(?P<number>-?\d[\d.,]*)$", what)
    if at is None:
        return None
    words = at["words"].split()
    for start in range(len(words)):
        behind = rf"({re.escape(' '.join(words[start:]))}\s*)-?\d[\d.,]*\d|({re.escape(' '.join(words[start:]))}\s*)\d"
        found = list(re.finditer(behind, before, re.IGNORECASE))
        if len(found) == 1:
            same = found[0][1] or found[0][2]
            return f"{before[: found[0].start()]}{same}{at['number']}{before[found[0].end() :]}"
    return None


def _only_number(what: str, before: str) -> str | None:
    """Return the task with another number in the place of the only one."""
    numbers, new = list(re.finditer(r"\d+(?:[.,]\d+)*", before)), re.findall(r"\d+(?:[.,]\d+)*", what)
    if len(numbers) != 1 or len(new) != 1:
        return None
    return f"{before[: numbers[0].start()]}{new[0]}{before[numbers[0].end() :]}"


def _at_another_time(text: str, before: str) -> str | None:
    """Return the task with another month, day of the week, quarter or year in the place of the only one."""
    new, old = _NAMED_TIMES.findall(text), list(_NAMED_TIMES.finditer(before))
    if len(new) != 1 or len(old) != 1:
        return None
    return f"{before[: old[0].start()]}{new[0]}{before[old[0].end() :]}"


def _about_another(head: str, material: str, before: Before) -> str | None:
    """Return the task before about another text; what was asked of the first one stands before its colon."""
    asked, colon, _ = before.text.partition(":")
    return f"{asked}: {material}" if colon and _LEAD.match(head) else None


def _step(text: str, value: str, leads: bool) -> str | None:
    """Return the result before, worked on: `and plus 3`, `times two`; an expression of its own is none."""
    whole = next((form.format(value) for pattern, form in _TIMES if pattern.match(text)), None)
    if whole is not None:
        return whole
    found = next(((sign, at) for sign, pattern in _STEPS if (at := pattern.search(text)) is not None), None)
    if found is None:
        return None
    sign, at = found
    before = text[: at.start()]
    if re.search(r"\d", before) or re.search(r"\d", text[at.end() :]) or not (leads or not before.strip(" ,.")):
        return None
    number = at["number"].lower()
    return f"({value}) {sign} {_WORDS.get(number, number.replace(',', '.'))}"


def _measured_otherwise(text: str, before: str) -> str | None:
    """Return the task before with the numbers of the follow-up in the place of those that have the same unit."""
    whole, given = before, list(_MEASURED.finditer(text))
    for one in given:
        unit = _unit(one["unit"])
        same = [at for at in _MEASURED.finditer(whole) if _unit(at["unit"]) == unit]
        if len(same) != 1:
            return None
        whole = whole[: same[0].start("number")] + one["number"] + whole[same[0].end("number") :]
    return whole if given else None


def _unit(word: str) -> str:
    plain = word.lower()
    return _UNITS.get(plain, plain.removesuffix("s"))
