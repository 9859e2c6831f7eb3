"""Read a question of finance, English or German, into a function and its arguments; what is not understood is refused."""

import re
from collections.abc import Callable
from typing import Any

from agents.finance.number import FinanceRefused

MOST_CHARS = 20_000

_FILLER_WORDS = (
    "a amount an and annual are at auf aufnehme aus be bei berechne berechnen betragen beträgt bezahlen big bitte borrow "
    "borrowed calculate can cash closing compute cost costs could das day days dem den der des die discount discounted do "
    "does dollar dollars each ein eine einen einer eines ergibt ermittle eur euro every find flow flows folgende folgenden "
    "for fällt für give gross groß have high hoch how i ich if im in installment installments instalment instalments "
    "interest is ist it its jahr jahre jahren jahreszins jährlich kostet kurs kurse kursen large laufzeit man me mir mit "
    "monat monate monaten monatlich monatliche monatlichen monatsrate month monthly months much muss must my müssen nenne "
    "nominal numbers of on our out over pay payment payments per period periode perioden periods please price prices pro "
    "quarter quarterly rate raten rates rechne reihe rendite renditen repayment repayments return returns run running runs "
    "sag sequence series sich sind sum tage tagen take tell term that the these this tilgung to took und usd value values "
    "viel von was we wert werte werten what whats wie will wir with work would year yearly years you zahle zahlen zahlungen "
    "zahlungsreihe zahlungsstrom zins zinsen zinssatz zu zum zur über"
)
_GERMAN_WORDS = (
    "bei berechne bitte darlehen darlehens das dem den der die durchschnitt ein eine einen für gleitende gleitenden "
    "gleitender hoch ist jahre jahren kapitalwert kredit kredits kurse kursen mit monate monaten monatsrate prozent raten "
    "sind tage tagen und von was wie zinsfuss zinsfuß zu über"
)
_ENGLISH_WORDS = (
    "what is the of a how much at over for years months and with loan payment rate return net present value moving day"
)
_FILLER, _GERMAN, _ENGLISH = (frozenset(words.split()) for words in (_FILLER_WORDS, _GERMAN_WORDS, _ENGLISH_WORDS))

_AMOUNT = r"(?:\d[\d.,]*\d|\d)"
_PERCENT = re.compile(rf"(-?{_AMOUNT})\s*(?:%|percent\b|per cent\b|prozent\b)")
_TIME = re.compile(rf"({_AMOUNT})[\s-]*(years?|jahren?|jahre|months?|monate?n?)\b")
_UNITS, _WINDOWS = r"days?|periods?|tagen?|tage|perioden?", r"period|window|periode|fenster"
_WINDOW = re.compile(rf"\b(?:(\d+)[\s-]*(?:{_UNITS})\b|(?:{_WINDOWS})\s*(?:of|von)?\s*(\d+)\b)")
_PLAIN = re.compile(rf"(?<![\w.,])-?\s?{_AMOUNT}")
_ITEM = rf"-?{_AMOUNT}(?:\s*(?:%|percent|prozent))?"
_LIST = re.compile(rf"{_ITEM}(?:(?:[,;]\s+|\s+and\s+|\s+und\s+|\s*;\s*|\s+){_ITEM})+")
_WORD = re.compile(r"[^\W\d_]+")
_PERIODS = (
    (("daily", "täglich", "tages"), 252),
    (("weekly", "wöchentlich", "wochen"), 52),
    (("monthly", "monatlich", "monats"), 12),
    (("quarterly", "vierteljährlich", "quartals"), 4),
    (("yearly", "annual", "jährlich", "jahres"), 1),
)
_PERIOD = re.compile(
    r"\b(daily|weekly|monthly|quarterly|yearly|annual|täglich\w*|wöchentlich\w*|monatlich\w*|vierteljährlich\w*|jährlich\w*"
    r"|(?:tages|wochen|monats|quartals|jahres)rendite)n?\b"
)
_NOT_MONTHLY = re.compile(
    r"\b(?:quarterly|weekly|daily|vierteljährlich\w*|wöchentlich\w*|halbjährlich\w*)\b"
    r"|\b(?:annual|yearly) (?:pay|inst|repay)|\bjährliche\w* (?:raten?|zahlung)"
    r"|\b(?:paid|payments?) (?:every|each|per|a|once a) year"
    r"|(?:%|percent|prozent) (?:interest |zinsen )?(?:per month|a month|each month|monthly|pro monat|im monat|monatlich)"
)
_GROUPS_EN, _GROUPS_DE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"), re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")

_LOAN = r"\b(?:loan|mortgage|annuity|credit|kredite?s?|darlehens?|hypothek|annuitätendarlehens?|baukredits?)\b"
_TOPICS: tuple[tuple[str, str], ...] = (
    ("npv", r"\b(?:net present value|present value|npv|kapitalwerte?s?|barwerte?s?)\b"),
    ("irr", r"\b(?:internal rate of return|irr|interne[rn]? zinsfu(?:ß|ss)(?:es)?|interne[rn]? zinssatz(?:es)?)\b"),
    ("rsi", r"\b(?:rsi|relative strength index|relative[rn]?-stärke-index)\b"),
    ("sma", r"\b(?:simple moving average|moving average|sma|(?:einfache[rn]? )?gleitende[rn]? (?:durchschnitt|mittelwert)s?)\b"),
    ("sharpe", r"\b(?:sharpe ratio|sharpe-ratio|sharpe)\b"),
    ("loan", _LOAN),
)


class Reading:
    """One question while it is read: what is found is taken out of the text, and what is left must be filler."""

    def __init__(self, text: str) -> None:
        self.left = text.lower().replace("−", "-").replace("–", "-").replace("what's", "what is").replace("’", "'")
        self.left = re.sub(r"[€$£]", " ", self.left)
        words = set(_WORD.findall(self.left))
        self.german = len(words & _GERMAN) > len(words & _ENGLISH)

    def topic(self) -> str:
        """Return the one function that the text names."""
        named = []
        for name, pattern in _TOPICS:
            self.left, hits = re.subn(pattern, " ", self.left)
            named += [name] * bool(hits)
        if len(named) != 1:
            raise not_understood("it names no function of finance" if not named else f"it names {' and '.join(named)}")
        return named[0]

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Take out the one place where a pattern is found."""
        found = self.maybe(pattern, what)
        if found is None:
            raise not_understood(f"it does not say {what}")
        return found

    def maybe(self, pattern: re.Pattern[str], what: str) -> re.Match[str] | None:
        """Take out the place where a pattern is found, if there is one."""
        found = list(pattern.finditer(self.left))
        if len(found) > 1:
            raise not_understood(f"it says {what} more than once")
        if not found:
            return None
        self.left = f"{self.left[: found[0].start()]} {self.left[found[0].end() :]}"
        return found[0]

    def number(self, written: str) -> float:
        """Return a number as it is written in the question's language."""
        plain = written.replace(" ", "")
        groups, thousands, decimal = (_GROUPS_DE, ".", ",") if self.german else (_GROUPS_EN, ",", ".")
        if groups.fullmatch(plain.lstrip("-")):
            plain = plain.replace(thousands, "")
        plain = plain.replace(",", ".") if self.german and "." not in plain else plain
        if decimal == "," and re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+,\d+", plain):
            plain = plain.replace(".", "").replace(",", ".")
        if not re.fullmatch(r"-?\d+(?:\.\d+)?", plain):
            raise not_understood(f"{written.strip()[:40]!r} may be read in two ways")
        return float(plain)

    def numbers(self, what: str) -> list[float]:
        """Take out a list of numbers; those with a percent sign are hundredths."""
        return [self.hundredths(one) for one in self.pieces(self.take(_LIST, what)[0])]

    def pieces(self, listed: str) -> list[str]:
        """Return the numbers of a list as they are written."""
        return re.findall(_ITEM, listed)

    def hundredths(self, written: str) -> float:
        """Return a number, or a percentage as a part of one."""
        part = _PERCENT.fullmatch(written.strip())
        return self.number(part[1]) / 100 if part else self.number(written)

    def done(self) -> None:
        """Refuse a question that says more than was taken out of it."""
        strange = sorted(set(_WORD.findall(self.left)) - _FILLER)
        if strange:
            raise not_understood(f"{strange[0][:40]!r} is not part of a question that is understood")
        rest = _WORD.sub("", self.left).translate(str.maketrans("", "", "?!.,:;=()' \t\r\n"))
        if rest:
            raise not_understood(f"{rest[0]!r} is not part of a question that is understood")


def not_understood(why: str) -> FinanceRefused:
    """Return the refusal, with what would help."""
    return FinanceRefused("not_understood", f"{why}; input.function and input.arguments say it without words")


def read(text: str) -> tuple[str, dict[str, Any]]:
    """Return function and arguments of a question such as "monthly payment of a loan of 10,000 at 5 % over 3 years".

    Raises:
        FinanceRefused: `not_understood`.
    """
    if len(text) > MOST_CHARS:
        raise not_understood(f"the question has more than {MOST_CHARS} characters")
    reading = Reading(text)
    name = reading.topic()
    arguments = _READERS[name](reading)
    reading.done()
    return name, arguments


def _loan(reading: Reading) -> dict[str, Any]:
    """Read amount, rate and time of a loan that is paid monthly."""
    if _NOT_MONTHLY.search(reading.left):
        raise not_understood("only monthly payments at a yearly rate are understood in words")
    rate = reading.take(_PERCENT, "the interest rate in percent")
    time = reading.take(_TIME, "the time in years or months")
    months = reading.number(time[1]) * (12 if time[2][0] in "yj" else 1)
    if months != int(months):
        raise not_understood("the time is no whole number of months")
    amount = reading.number(reading.take(_PLAIN, "the amount")[0])
    return {"principal": amount, "annual_rate": reading.number(rate[1]) / 100, "payments": int(months)}


def _npv(reading: Reading) -> dict[str, Any]:
    rate = reading.take(_PERCENT, "the rate in percent")
    return {"rate": reading.number(rate[1]) / 100, "cash_flows": reading.numbers("the cash flows")}


def _irr(reading: Reading) -> dict[str, Any]:
    return {"cash_flows": reading.numbers("the cash flows")}


def _rsi(reading: Reading) -> dict[str, Any]:
    window = reading.maybe(_WINDOW, "the period")
    period = {"period": int(window[1] or window[2])} if window else {}
    return {"prices": reading.numbers("the prices"), **period}


def _sma(reading: Reading) -> dict[str, Any]:
    window = reading.take(_WINDOW, "the window, as in 3-day,")
    return {"values": reading.numbers("the values"), "window": int(window[1] or window[2])}


def _sharpe(reading: Reading) -> dict[str, Any]:
    """Read returns and how long their periods are: the ratio is for a year, so it cannot be told without."""
    period = reading.take(_PERIOD, "whether returns are daily, weekly, monthly, quarterly or yearly")[1]
    per_year = next(count for starts, count in _PERIODS if period.startswith(starts))
    return {"returns": reading.numbers("the returns"), "per_year": per_year}


_READERS: dict[str, Callable[[Reading], dict[str, Any]]] = {
    "loan": _loan,
    "npv": _npv,
    "irr": _irr,
    "rsi": _rsi,
    "sma": _sma,
    "sharpe": _sharpe,
}
