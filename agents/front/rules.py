"""Rules for what a clause says of its speaker, English and German: each stands at the clause's beginning. Pure.

A rule has a subject, in which `{what}` stands for the words of its group `what`. They were written on one half of the labelled
turns (`bench/agents/data/remember.jsonl`) and measured on the other; a wrong fact is worse than none, so they ask for much.
"""

import re
from collections.abc import Iterable

_CAP = r"(?-i:[A-ZÄÖÜÀ-ÖØ-Þ])[\w'.-]*"
_NAMED = rf"{_CAP}(?:\s+(?:(?-i:de|van|von|der|den|la|du|bin|al|da|del|le)\s+)?{_CAP}){{0,3}}"
_ADV = (
    r"(?:(?:now|currently|just|still|already|really|actually|usually|only|also|recently|finally|both|all|always|quite|very"
    r"|much|so"
    r"|totally|absolutely|mostly|rather|jetzt|nun|gerade|auch|sehr|noch|schon|immer|seit \w+)\s+)*"
)
_I_AM, _I = r"(?:i am|i'm|we are|we're)\s+", r"(?:i|we)\s+"
_I_HAVE = r"(?:i|we)(?:'ve| have)?\s+"
_NOT_OURS = (
    r"(?!(?:it|this|that|these|those|how|what|when|where|why|who|you|your|yours|him|her|them|to|if|not|being|doing"
    r"|no|nothing|another|any|anything|some|more|here|there|das|dies\w*|es|dich|dir|dein\w*|wie|was|wenn|zu|nicht|keine?)\b)"
    r"(?!(?:the|a|an|one|your)\s+(?:\w+\s+)?(?:idea|answer|way|result|results|sound|look|style|first|second|last|new|version"
    r"|text"
    r"|table|list|summary|format|option|question|tone|draft|report|file|number|numbers|output|chart|layout|wording)\b)"
)
_WHAT = rf"{_NOT_OURS}(?P<what>[^,]{{1,100}})"
_YEARS = r"(?P<what>\d{1,3})"
_AGE_ENDS = (
    r"(?=\s*(?:$|,|years? old|years?\b|and\b|by the way|now\b|already|today|yesterday|last\b|this\b|in\b|on\b|next\b|soon))"
)
_WORK = (
    r"nurse|doctor|teacher|professor|lecturer|engineer|developer|programmer|electrician|plumber|carpenter|baker|butcher"
    r"|barber|cook|chef"
    r"|waiter|waitress|barista|bartender|farmer|gardener|florist|driver|pilot|sailor|fisherman|soldier|officer|policeman"
    r"|firefighter"
    r"|paramedic|midwife|dentist|vet|veterinarian|surgeon|pharmacist|physicist|chemist|biologist|scientist|researcher|historian"
    r"|mathematician|statistician|economist|accountant|auditor|banker|broker|lawyer|solicitor|judge|notary|clerk|secretary"
    r"|librarian"
    r"|journalist|editor|writer|author|poet|translator|interpreter|photographer|painter|sculptor|designer|architect|musician"
    r"|singer"
    r"|pianist|violinist|actor|actress|dancer|director|producer|manager|consultant|analyst|salesman|saleswoman|cashier"
    r"|receptionist"
    r"|cleaner|builder|mason|roofer|welder|mechanic|technician|tailor|hairdresser|therapist|psychologist|physiotherapist"
    r"|social worker"
    r"|carer|caretaker|student|apprentice|trainee|intern|pensioner|freelancer|entrepreneur|administrator|sysadmin|tester"
    r"|optician"
    r"|potter|jeweller|blacksmith|locksmith|janitor|postman|courier|beekeeper|winemaker|brewer|miner|geologist|astronomer"
    r"|priest"
    r"|pastor|monk|nun|coach|trainer|referee|guide|housewife|househusband|paralegal|bookkeeper|data scientist|product manager"
)
_BUSINESS = (
    r"shop|bakery|store|company|business|firm|restaurant|caf[eé]|bar|pub|hotel|hostel|guesthouse|studio|farm|agency|clinic"
    r"|practice"
    r"|school|workshop|garage|gallery|blog|podcast|charity|team|department|vineyard|brewery|salon|gym|kindergarten|nursery"
    r"|start-?up"
    r"|stall|bookshop|bookstore|dairy|laundry|pharmacy|magazine|newspaper|label|theatre|cinema|museum|law office"
)
_CRAFT = r"(?:repair|fix|make|build|design|sell|restore|write|breed|grow|tune|paint|teach|bake|brew|train|edit|translate)"
_KIN = (
    r"(?:(?:little|big|older|younger|elder|oldest|youngest|twin|step|best|ex-?|grand|great-?)\s?)?(?:daughter|son|child|baby"
    r"|kid|wife"
    r"|husband|partner|spouse|fianc[eé]e?|girlfriend|boyfriend|sister|brother|mother|father|mum|mom|dad|aunt|uncle|cousin"
    r"|niece|nephew"
    r"|grandmother|grandfather|grandma|grandpa|grandson|granddaughter|friend|flatmate|roommate|neighbour|neighbor|boss"
    r"|manager|teacher"
    r"|doctor|dentist|vet|therapist|lawyer|colleague|assistant|supervisor|coach|landlord|landlady|twins?)"
)
_PET = (
    r"(?:dog|puppy|cat|kitten|parrot|budgie|canary|hamster|rabbit|guinea pig|horse|pony|tortoise|turtle|snake|lizard|gecko|fish"
    r"|goldfish|hen|chicken|goat|sheep|donkey|ferret|rat|mouse|bird|pet|cow|alpaca|bee)"
)
_KIN_DE = (
    r"(?:tochter|sohn|kind|frau|mann|partner(?:in)?|freund(?:in)?|schwester|bruder|mutter|vater|mama|papa|tante|onkel|oma"
    r"|opa|cousine?"
    r"|nichte|neffe|chef(?:in)?|ärztin|arzt|hund|katze|kater|pferd|hase|papagei|hamster|vogel)"
)
_LANGUAGE = (
    r"(?:English|French|German|Spanish|Portuguese|Italian|Dutch|Danish|Swedish|Norwegian|Finnish|Polish|Czech|Russian"
    r"|Ukrainian|Greek"
    r"|Turkish|Arabic|Hebrew|Hindi|Urdu|Bengali|Tamil|Chinese|Mandarin|Cantonese|Japanese|Korean|Thai|Vietnamese|Swahili"
    r"|Yoruba|Latin"
    r"|Hungarian|Romanian|Bulgarian|Serbian|Croatian|Catalan|Basque|Welsh|Irish|Icelandic|Persian|Farsi|Esperanto)"
)
_PLAYED = (
    r"(?:piano|guitar|violin|viola|cello|double bass|bass|flute|clarinet|oboe|trumpet|trombone|horn|tuba|saxophone|drums"
    r"|harp|organ"
    r"|accordion|banjo|ukulele|recorder|chess|tennis|football|soccer|basketball|handball|volleyball|badminton|hockey|golf"
    r"|cricket|rugby|bridge)"
)
_ART = r"(?:(?:a|an|the|my|our|one|two|three|four|five|six|seven|eight|nine|ten|\d{1,3}|twin|some)\s+)"

RULES: tuple[tuple[str, str], ...] = (
    # name
    ("name", rf"(?:my name is|my name's|i am called|i'm called|i go by|the name is|the name's)\s+(?P<what>{_NAMED})"),
    ("name", r"(?:my name is|my name's)\s+(?P<what>[^\W\d_]{2,30})$"),
    ("name", rf"(?:(?:(?:most |all )?people|everybody|everyone|(?:my |all my )?(?:friends|colleagues|family)|you can"
        rf"|you may)\s+{_ADV})?call me\s+(?P<what>{_NAMED})"),
    ("name", rf"(?:i am|i'm)\s+(?P<what>{_NAMED})(?=\s*(?:$|,|by the way|here\b))"),
    ("name", rf"(?:it's|it is|this is)\s+(?P<what>{_NAMED})\s+(?:here|speaking|again)\b"),
    ("name", rf"(?:mein name ist|ich heiß?(?:ss)?e|nenn mich|ich bin (?:der|die)(?=\s+{_CAP}$))\s+(?P<what>(?!Meinung"
        rf"|Ansicht|Sache|Frage|Erste){_NAMED})"),
    ("name", rf"(?:du kannst|ihr könnt|man kann) mich\s+(?P<what>{_NAMED})\s+nennen"),
    (
        "name",
        r"(?:you can |please )?(?-i:call me)\s+(?!later|when|back|now|again|tomorrow|crazy|maybe|if|please|anytime|today"
        r"|tonight|old"
        r"|stupid|an?\b|soon|sometime|first|asap|out|names|by|on|at|in|to|for|what|anything)(?P<what>(?-i:[a-z]{2,12}))(?=$|,)",
    ),
    # home
    (
        "home",
        r"(?-i:i)(?:'ve| have)?\s+(?:just |recently )?moved to\s+(?!the\b|an?\b|my\b|our\b|his\b|her\b|another\b|next\b|be\b"
        r"|bed\b"
        r"|tears\b)(?P<what>(?-i:[a-zà-ÿ]{3,20}))(?=$|,|\s(?:last|this|in|with|for|two|three|a|from|\d))",
    ),
    ("home", rf"{_I_HAVE}{_ADV}(?:live|reside)\s+(?:in|at|near|outside|on)\s+{_WHAT}"),
    ("home", rf"{_I_HAVE}{_ADV}(?:been )?(?:living|settled|settling)\s+(?:down\s+)?(?:in|at|near)\s+{_WHAT}"),
    ("home", rf"{_I_AM}{_ADV}(?:living|based|at home|settled)\s+(?:in|at|near)\s+{_WHAT}"),
    ("home", rf"{_I_HAVE}{_ADV}(?:moved|relocated)\s+(?:back |over |house |home )?(?:to|(?:in)?to [^,]{{1,30}} (?:in"
        rf"|near))\s+(?P<what>{_CAP}[^,]{{0,80}})"),
    ("home", rf"living in\s+(?P<what>{_CAP}(?:\s{_CAP})*)\b.*\b(?:me|my|i|us|we|our)\b.*"),
    ("home", r"(?:my|our) (?:home|house|flat|apartment|place|address) is\s+(?:in|at|near)?\s*(?P<what>.+)"),
    ("home:from", rf"(?:i|we)(?:\s+(?:originally )?come|'m| am|'re| are)\s+{_ADV}(?:originally )?from\s+(?P<what>{_NAMED})"),
    ("home", rf"(?:ich|wir)\s+(?:wohnen?|lebe?n?)\s+{_ADV}(?:in|bei|am)\s+(?P<what>.+)"),
    ("home", rf"(?:ich bin|wir sind)\s+[^,]{{0,30}}?\bnach\s+(?P<what>{_NAMED})\s+(?:um)?gezogen"),
    ("home:from", rf"(?:ich komme|wir kommen|komme)\s+{_ADV}(?:ursprünglich )?aus\s+(?P<what>{_NAMED})"),
    # work
    ("work", rf"{_I}{_ADV}work\s+(?:full-time |part-time |freelance )?(?:as|at|for|with|in)\s+{_WHAT}"),
    ("work", rf"{_I_AM}{_ADV}(?:employed|working)\s+(?:as|at|by|for)\s+{_WHAT}"),
    ("work", rf"{_I_AM}{_ADV}with\s+(?P<what>{_NAMED})\s+(?:now|these days|since\b.*)"),
    ("work", rf"{_I_HAVE}{_ADV}(?:(?:started|begun|got) (?:a (?:new )?job |working |work )?(?:at|with|for)|joined"
        rf"|been hired by)\s+(?P<what>{_NAMED}).*"),
    ("work", rf"{_I_AM}{_ADV}(?:an?\s+)(?P<what>(?:[\w-]+\s+){{0,2}}?(?:{_WORK}))\b(?!\s+(?:of (?:a|the)|at heart)\b).*"),
    ("work", rf"{_I_AM}{_ADV}(?:an?\s+)?(?P<what>[\w -]{{3,30}})\s+by (?:trade|profession|training)"),
    ("work", rf"{_I}{_ADV}(?:earn|make) (?:my|our) (?:living|money)\s+(?P<what>(?:as|by|with|from)\s+.+)"),
    ("work", rf"{_I}{_ADV}(?:teach|study|studied)\s+(?!the\b|this\b|that\b|it\b|your\b|you\b|them\b|him\b"
        rf"|her\b)(?P<what>\w.*)"),
    ("work", rf"{_I_AM}{_ADV}(?:studying|teaching)\s+(?!the\b|this\b|that\b|it\b|your\b|you\b)(?P<what>\w.*)"),
    ("work", rf"{_I}{_ADV}(?:run|own|manage|have)\s+(?:an?|my own|our own"
        rf"|the)\s+(?P<what>(?:[\w-]+\s+){{0,3}}?(?:{_BUSINESS}))\b.*"),
    ("work", rf"(?P<what>{_I_AM}{_ADV}(?:self-employed|unemployed|retired|between jobs|on parental leave|freelancing"
        rf"|out of work)\b.*)"),
    ("work", rf"(?P<what>{_I_HAVE}{_ADV}retired\b.*)"),
    ("work", rf"{_I}{_ADV}(?P<what>{_CRAFT}\s+[\w ]{{3,40}}) for a living"),
    ("work", r"my (?:job|profession|occupation|trade|work) is\s+(?!done|finished|over|hard|boring|great|fun|easy|fine"
        r"|not)(?P<what>.+)"),
    ("work", rf"my employer is\s+(?P<what>{_NAMED}.*)"),
    ("work", rf"(?:ich )?arbeite\s+{_ADV}(?:als|bei|für|in)\s+(?!einer? (?:frage|lösung))(?P<what>.+)"),
    ("work", rf"ich bin\s+{_ADV}(?:ein\w*\s+)?(?P<what>{_CAP})\s+von Beruf"),
    ("work", r"(?:von Beruf bin ich|mein Beruf ist)\s+(?P<what>.+)"),
    ("work", rf"ich (?:studiere|unterrichte)\s+{_ADV}(?P<what>{_CAP}.*)"),
    # age and birthday
    ("age", rf"{_I_AM}{_ADV}{_YEARS}{_AGE_ENDS}.*"),
    ("age", rf"(?:i will be|i'll be|i'm going to be|i am turning|i'm turning|i turn)\s+{_YEARS}\s+(?:in|on|next|this|soon"
        rf"|tomorrow)\b.*"),
    ("age", rf"i(?:'ve| have)?\s+{_ADV}turned\s+{_YEARS}(?=\s*(?:$|,|yesterday|today|last|this|in\b|on\b)).*"),
    ("age", r"(?:my age is|mein alter ist)\s+(?P<what>\d{1,3})"),
    ("age", rf"ich (?:bin|werde)\s+{_ADV}(?:bald )?{_YEARS}(?=\s*(?:$|,|jahre\b|geworden)).*"),
    ("birthday", r"(?:i was born|ich bin|ich wurde)\s+(?:on|in|im|am)\s+(?P<what>[^,]*\d[^,]*?)(?:\s+geboren)?$"),
    ("birthday", r"(?:(?:my|it's my|it is my) birthday(?:'s| is)?|mein geburtstag ist|ich habe)\s+(?:on|am|in"
        r"|im)?\s*(?P<what>[^,]*(?:\d|january|february|march|april|may|june|july|august|september|october|november"
        r"|december)[^,]*?)(?:\s+geburtstag)?$"),
    ("home:born", rf"(?:i was born(?: and (?:raised|bred))?|i grew up)\s+in\s+(?P<what>{_NAMED})"),
    # what one may not or will not eat
    ("allergy:{what}", rf"{_I_AM}{_ADV}allergic to\s+{_WHAT}"),
    ("allergy:{what}", r"i (?:have|suffer from|'ve got)\s+(?:an?|my|a bad|a severe)?\s*(?P<what>[\w -]{2,30}) (?:allergy"
        r"|intolerance)"),
    ("allergy:{what}", r"i have (?:an? )?(?:[\w-]+ )?(?:allergy|intolerance) (?:to|against)\s+(?P<what>.+)"),
    ("allergy:{what}", rf"{_I_AM}{_ADV}(?P<what>[\w-]+)[ -]intolerant"),
    ("allergy:gluten", rf"(?P<what>{_I_AM}{_ADV}(?:coeliac|celiac)\b.*)"),
    ("allergy:sugar", rf"(?P<what>{_I_AM}{_ADV}(?:an? )?diabetic\b.*)"),
    ("allergy:{what}", rf"i (?:can't|cannot|can not|must not|mustn't|may not) (?:eat|drink|have|tolerate"
        rf"|digest)\s+{_NOT_OURS}(?P<what>(?:[\w-]+)(?:\s(?:and|or|nor)?\s?[\w-]+)?)(?=$|,).*"),
    ("allergy:{what}", r"i (?:get|break out in|come out in)\s+(?:a |an )?(?:rash|hives|migraine|spots"
        r"|swollen \w+)\s+from\s+(?P<what>[^,]+).*"),
    ("allergy:{what}", r"ich bin\s+(?:\w+\s+)?allergisch gegen\s+(?P<what>.+)"),
    ("allergy:{what}", r"ich vertrage\s+(?:keine?n?|nichts mit)\s+(?P<what>\w+)"),
    ("diet", rf"(?P<what>{_I_AM}{_ADV}(?:an? )?(?:strict )?(?:vegetarian|vegan|pescatarian|teetotal(?:ler)?)\b.*)"),
    ("diet", rf"(?P<what>(?:i|we) (?:do not|don't|never|no longer) (?:eat|drink)\s+{_NOT_OURS}[\w-]+(?:\s(?:and"
        rf"|or)\s[\w-]+)?(?: any ?more)?)$"),
    ("diet", rf"(?P<what>ich bin\s+{_ADV}(?:vegetarier(?:in)?|veganer(?:in)?|vegan)\b.*)"),
    ("diet", r"(?P<what>ich (?:esse|trinke) keine?n?\s+\w+.*)"),
    # preferences
    ("prefers", rf"i\s+{_ADV}(?:would )?prefer\s+{_WHAT}"),
    ("prefers", rf"(?:i'd|i would) rather (?:have|drink|take|eat|use)\s+{_NOT_OURS}(?P<what>\w.+?\s+than\s+[^,]+).*"),
    ("prefers", rf"(?:i'd|i would) (?:take|choose|pick)\s+{_NOT_OURS}(?P<what>\w.+?\s+over\s+[^,]+).*"),
    ("prefers", rf"i\s+{_ADV}(?:like|love|enjoy)\s+{_NOT_OURS}(?P<what>\w.+?\s+(?:better|more) than\s+[^,]+)"),
    ("prefers", r"ich (?:bevorzuge|ziehe)\s+(?P<what>.+\s(?:vor|gegenüber).*|[^,]+(?<!zurück))$"),
    ("prefers", r"ich \w+e\s+lieber\s+(?P<what>.+?\s+als\s+.+)"),
    # likings
    (
        "likes:{what}",
        rf"i\s+{_ADV}(?:like|love)\s+to\s+(?!(?:ask|say|see|know|hear|think|point|add|admit|mention|have|be|thank|try|start"
        rf"|learn"
        r"|understand|get|make sure|hear|change|do (?:that|this|it))\b)(?P<what>\w[^,]{1,80})",
    ),
    ("likes:{what}", rf"i\s+{_ADV}(?:like|love|adore|enjoy|hate|dislike|loathe|detest|despise)\s+{_WHAT}"),
    ("likes:{what}", rf"i (?:do not|don't|no longer|can't|cannot) (?:{_ADV})(?:like|love|enjoy|stand|bear)\s+{_WHAT}"),
    ("likes:{what}", rf"{_I_AM}{_ADV}(?:not )?(?:an? )?(?:big |huge |great )?(?:fan of|into|fond of|keen on|crazy about"
        rf"|mad about)\s+(?!the\b){_WHAT}"),
    ("likes:{what}", rf"ich (?:mag|liebe|hasse)\s+{_ADV}(?:keine?n?\s+)?(?!nicht\b){_WHAT}"),
    # languages, instruments, what is used
    ("speaks", rf"(?:i|we)\s+(?:can )?{_ADV}speak\s+(?:(?:a little|a bit of|some|fluent|only"
        rf"|both)\s+)?(?P<what>{_LANGUAGE}\b.*)"),
    ("speaks", r"ich spreche\s+(?P<what>(?-i:[A-ZÄÖÜ])\w+sch\b.*)"),
    ("plays:{what}", rf"i\s+{_ADV}(?:can )?play\s+(?:the\s+)?(?P<what>{_PLAYED})\b.*"),
    ("uses:{what}", r"we\s+(?:all |mostly |mainly |only )?(?:use|run|work with|develop in|host on"
        r"|build with)\s+(?P<what>[^,]{2,40}?)\s+(?:at work|at my work|at our company|at my company|in our team|in my team"
        r"|in the team|at the office|in our company)\b.*"),
    (
        "uses:{what}",
        r"(?:at|in) (?:my|our) (?:work|job|company|team|office|firm)\s*,?\s+(?:we|i)\s+(?:all )?(?:use|build|run"
        r"|work with|develop)\b\s*(?P<what>.+)"
    ),
)  # fmt: skip
# Things of the speaker's: the noun is the subject.
THINGS: tuple[str, ...] = (
    r"(?:my|our|mein\w*|unser\w*)\s+(?P<noun>(?:favou?rite|least favou?rite|preferred)\s+[\w-]+(?:\s[\w-]+)?"
    r"|lieblings\w+)\s+(?:is|are|would be|ist|sind)\s+(?P<what>.+)",
    rf"(?:my|our)\s+(?P<noun>(?!file|function|variable|column|table|script|text|class)[\w-]+(?:\s[\w-]+)?)\s+(?:is"
    rf"|are)\s+(?:called|named)\s+(?P<what>(?:{_CAP}.*|(?!off|for|back|upon|out|when|because|by|an?|the)[^\W\d_]{{2,20}}$))",
    rf"(?:my|our)\s+(?P<noun>[\w-]+(?:\s[\w-]+)?)(?:'s|s')\s+name\s+is\s+(?P<what>{_CAP}.*)",
    rf"the name of (?:my|our)\s+(?P<noun>[\w-]+)\s+is\s+(?P<what>{_CAP}.*)",
    rf"(?:my|our)\s+(?P<noun>{_KIN}|{_PET})\s*,?\s+(?P<what>{_NAMED})\b.*",
    rf"(?:my|our)\s+(?P<noun>{_KIN}|{_PET})\s+(?:is|are)\s+(?P<what>(?:an?\s+\w+|{_CAP}).*)",
    r"(?:my|our)\s+(?P<noun>[\w-]+(?:\s[\w-]+)?\s(?:size|number|code|type|colour|color|password|address|model|brand|group"
    r"|plate|team|band)|size|blood group)\s+(?:is|are)\s+(?P<what>.+)",
    rf"(?:my|our)\s+(?P<noun>car|bike|bicycle|phone|laptop|computer|tablet|camera|guitar|boat|van|motorbike|truck|piano"
    rf"|watch|school|university|team|company|bank|insurance|garden|street|city|town|village|club|doctor|train"
    rf"|bus)\s+is\s+(?P<what>(?:an?\s+|the\s+)?(?:[\w-]+\s+){{0,2}}?(?:{_CAP}|\d).*)",
    rf"(?:my|our)\s+(?P<noun>laptop|phone|computer|pc|server|tablet|mac|camera|car)\s+(?:runs(?: on)?|has"
    rf"|uses)\s+(?P<what>(?:[\w-]+\s+){{0,2}}?(?:{_CAP}|\d).*)",
    rf"(?:i|we)\s+(?:named|called)\s+(?:my|our)\s+(?P<noun>{_KIN}|{_PET})\s+(?P<what>{_NAMED})",
    rf"(?:i|we)(?:'ve got| have got| have| own| keep|'ve)\s+{_ART}(?:[\w-]+\s+)?(?P<noun>{_KIN}|{_PET})s?\b(?P<what>.*)",
    rf"(?:i|we)(?:'ve got| have got| have)\s+(?:\d+\s+|{_ART})?(?P<noun>twins|kids|children|cats|dogs|horses)\b(?P<what>.*)",
    rf"(?:mein\w*|unser\w*)\s+(?P<noun>[\w-]+)\s+(?:heißt|heisst)\s+(?P<what>{_CAP}.*)",
    rf"(?:mein\w*|unser\w*)\s+(?P<noun>{_KIN_DE})\s+(?:ist\s+)?(?P<what>(?:ein\w*\s+)?{_CAP}.*)",
)  # fmt: skip
# The same, where what is said names its noun in other words.
NAMED_THINGS: tuple[tuple[str, str], ...] = (
    ("partner", rf"{_I_AM}{_ADV}(?:married|engaged) to\s+(?P<what>{_NAMED})"),
    ("car", rf"{_I}{_ADV}drive\s+(?:an?|the)\s+(?P<what>(?:[\w-]+\s+){{0,2}}?{_CAP}.*)"),
)
KNOWN_NOUNS = {"name": "name", "birthday": "birthday", "geburtstag": "birthday", "age": "age", "alter": "age", "home": "home",
               "job": "work", "profession": "work", "beruf": "work"}  # fmt: skip


def compiled(patterns: Iterable[str]) -> tuple["re.Pattern[str]", ...]:
    """Return patterns, whatever the case but where they ask for a capital."""
    return tuple(re.compile(one, re.IGNORECASE) for one in patterns)
