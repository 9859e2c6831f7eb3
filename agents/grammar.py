"""Words by which people ask for something, English and German, for whoever splits texts and whoever hears turns. Pure.

`REQUEST`: a text begins like one thing that is asked for; `ORDER`: like a verb that orders it.
"""

import re

# A word that is a noun as well is a request only before a word that begins an object.
SURE = (
    "summari[sz]e|compute|calculate|translate|explain|tell|find|write|judge|determine|describe|extract|classify|compare|shorten|"
    "condense|rephrase|say|give|add|subtract|multiply|divide|convert|predict|decide|identify|transcribe|work out|look up|"
    "fasse|sage?|nenne|berechne|rechne|finde|schreibe?|übersetze|zähle|vergleiche|bewerte|beurteile|prognostiziere|lies|prüfe|"
    "erkläre|gib|zeige?|sortiere|beschreibe|beantworte|bestimme|schätze|kürze|formuliere|ordne|suche?|addiere|multipliziere|"
    "subtrahiere|teile"
)
UNSURE = (
    "list|count|rate|draft|check|answer|name|estimate|forecast|run|execute|make|report|show|sort|read|search|sum|plan|put|turn|"
    "project|sum up|mach|erstelle|führe|hole|ziehe"
)
OBJECT = (
    r"the|an?|this|that|these|those|it|its|them|me|us|my|our|all|each|every|both|how|what|which|who|whether|if|up|out|for|"
    r"den|die|das|dem|der|ein\w*|mir|uns|es|sie|ihn|alle\w*|diese\w*|\d|[«\x00]"
)
ASKS = (
    r"what(?:'s|’s)?|which|who|whose|when|where|why|how|is|are|was|were|does|did|do|can|will|would|should|"
    r"was|welche\w*|wer|wann|wo|warum|wie|wieviele?|ist|sind|hat|haben|kann|wird"
)
WH = r"what(?:'s|’s)?|which|who|whose|when|where|why|how|was|welche\w*|wer|wann|wo|warum|wie|wieviele?"
POLITE = (
    r"(?:(?:please|kindly|also|now|next|bitte|auch|außerdem|and|und|so|ok(?:ay)?|hi|hello|hallo|"
    r"(?:can|could|would|will) you(?: please)?|(?:i|we) (?:want|need|would like)(?: you)? to|i'd like(?: you)? to|"
    r"kannst du(?: bitte)?|könntest du(?: bitte)?)[,\s]+){0,4}"
)
FIRST = (
    r"(?:(?:first(?:ly)?(?: of all)?|to begin with|second(?:ly)?|third(?:ly)?|finally|lastly|"
    r"zuerst|zunächst|erstens|zweitens|drittens)[,:\s]+)?"
)
NEXT = (
    r"(?:then|after that|afterwards|after which|finally|subsequently|lastly|"
    r"dann|danach|anschließend|schließlich|zuletzt|zum schluss)"
)
ORDER = rf"(?:(?:{SURE})\b|(?:{UNSURE})(?= (?:{OBJECT})))"
REQUEST = re.compile(rf"{POLITE}{FIRST}{POLITE}(?:{NEXT}[,\s]+)?{POLITE}(?:{ORDER}|(?:{ASKS})\b)", re.IGNORECASE)
ORDERED = rf"{POLITE}(?:{ORDER})"
VERB = re.compile(rf"{POLITE}(?:{SURE}|{UNSURE})\s", re.IGNORECASE)
_WANTS = re.compile(
    rf"{POLITE}(?:i need|i want|i'd like|i would like|help me|let us|let's|ich brauche|ich möchte|pull out|analy[sz]e|klingt)\b",
    re.IGNORECASE,
)
_START = re.compile(r"^\W+")


def asks(text: str) -> bool:
    """Say whether somebody asks for something: by a question mark, or by how it begins."""
    told = _START.sub("", text)
    return text.rstrip(" \t\n.!\"'”)").endswith("?") or any(one.match(told) for one in (REQUEST, VERB, _WANTS))
