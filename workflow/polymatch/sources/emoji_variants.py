"""What makes two emoji variants of one thing: words, Unicode subgroups and series of pictures.

The words and subgroups were taken from the names; the series from looking at contact sheets of the
nearest pictures and names that a split had separated.
"""

from __future__ import annotations

from collections.abc import Mapping

_WORDS = {
    "gender and age": """
        man men male gentleman woman women female lady person people adult boy girl child
        old older baby s
    """,
    "hair": "blond blonde bald curly haired hair beard",
    "colour": "red orange yellow green blue purple brown black white grey gray pink light dark",
    "direction": """
        left leftward leftwards right rightward rightwards up upward upwards down downward
        downwards north south east west upper lower facing oncoming pointing front back
    """,
    "size and state": "small medium large big heavy low high open closed empty face",
    "order and hour": """
        first second third 1st 2nd 3rd
        one two three four five six seven eight nine ten eleven twelve thirty oclock
    """,
    "currency": "yen dollar euro pound",
}
VARIANT_WORDS = frozenset(word for words in _WORDS.values() for word in words.split())

# series -> the Unicode subgroups that belong to it as a whole, since they are one design
_SUBGROUPS = {
    "signs on a square": """
        alphanum arrow av-symbol gender geometric keycap other-symbol religion transport-sign zodiac
    """,
    "cat faces": "cat-face",
    "hearts": "heart",
    "families": "family",
    "monkeys": "monkey-face",
    "signs of arithmetic": "math",
    "gestures": "person-gesture",
    "prohibitions": "warning",
    "affection": "face-affection",
    "concern": "face-concerned",
    "hands before a face": "face-hand",
    "anger": "face-negative",
    "neutral faces": "face-neutral-skeptical",
    "sleep": "face-sleepy",
    "smiles": "face-smiling",
    "tongues": "face-tongue",
    "sickness": "face-unwell",
}
SERIES_OF_SUBGROUP: Mapping[str, str] = {
    subgroup: series for series, subgroups in _SUBGROUPS.items() for subgroup in subgroups.split()
}

# series -> the code points that belong to it, alone or with something joined to them
SERIES: Mapping[str, tuple[int, ...]] = {
    "clock faces": tuple(range(0x1F550, 0x1F568)),
    "moon": tuple(range(0x1F311, 0x1F31E)),
    "globes": (0x1F30D, 0x1F30E, 0x1F30F),
    "persons": (*range(0x1F466, 0x1F46A), *range(0x1F474, 0x1F477), *range(0x1F9D1, 0x1F9D4)),
    "royals": (0x1F478, 0x1F934, 0x1FAC5),
    "pregnant": (0x1F930, 0x1FAC3, 0x1FAC4),
    "dancers": (0x1F483, 0x1F57A),
    "couples": (0x1F46A, 0x1F46B, 0x1F46C, 0x1F46D, 0x1F48F, 0x1F491),
    "hearts": (0x2665,),
    "card suits": (0x2660, 0x2663, 0x2665, 0x2666),
    "clouds": (0x2601, 0x26C5, 0x26C8, *range(0x1F324, 0x1F32B)),
    "speakers": (0x1F507, 0x1F508, 0x1F509, 0x1F50A),
    "padlocks": (0x1F50F, 0x1F510, 0x1F512, 0x1F513),
    "mailboxes": (0x1F4EA, 0x1F4EB, 0x1F4EC, 0x1F4ED),
    "envelopes": (0x2709, 0x1F48C, 0x1F4E7, 0x1F4E8, 0x1F4E9),
    "books": (0x1F4D3, 0x1F4D4, 0x1F4D5, 0x1F4D7, 0x1F4D8, 0x1F4D9),
    "bubbles": (0x1F4AC, 0x1F4AD, 0x1F5E8, 0x1F5EF),
    "charts": (0x1F4C8, 0x1F4C9, 0x1F4CA, 0x1F4B9),
    "trays": (0x1F4E4, 0x1F4E5),
    "snowmen": (0x2603, 0x26C4),
    "chicks": (0x1F423, 0x1F424, 0x1F425),
    "exclamations": (0x203C, 0x2049, 0x2753, 0x2754, 0x2755, 0x2757),
    "hourglasses": (0x231B, 0x23F3),
    "skylines": (0x1F303, 0x1F304, 0x1F305, 0x1F306, 0x1F307, 0x1F3D9),
    "ears": (0x1F442, 0x1F9BB),
    "cattle": (0x1F402, 0x1F403, 0x1F404),
    "sheep": (0x1F40F, 0x1F411),
    "raised hands": (0x270B, 0x1F590, 0x1F596, 0x1F91A),
    "signs on a square": (0x1F6D7,),
    "dogs": (0x1F415, 0x1F436, 0x1F9AE),
    "horses": (0x1F3C7, 0x1F40E, 0x1F434),
    "cat faces": (0x1F408, 0x1F431),
    "umbrellas": (0x2602, 0x2614, 0x26F1, 0x1F302, 0x1F3D6),
    "trains": (*range(0x1F682, 0x1F68C), 0x1F69D, 0x1F69E),
    "trucks": (0x1F69A, 0x1F69B, 0x1F6FB),
    "houses": (0x1F3D8, 0x1F3DA, 0x1F3E0, 0x1F3E1),
    "office buildings": (0x1F3E2, 0x1F3E3, 0x1F3E4),
    "stars": (0x2B50, 0x1F31F, 0x1F320),
    "skulls": (0x2620, 0x1F480),
    "ships": (0x1F6A2, 0x1F6F3),
    "telephones": (0x260E, 0x1F4DE),
    "mobile phones": (0x1F4F1, 0x1F4F2),
    "fork and knife": (0x1F374, 0x1F37D),
    "ice creams": (0x1F366, 0x1F368),
    "firs": (0x1F332, 0x1F384),
    "fireworks": (0x1F386, 0x1F387),
    "bicycles": (0x1F6B4, 0x1F6B5),
    "nests": (0x1FAB9, 0x1FABA),
    "card indexes": (0x1F4C7, 0x1F5C2),
    "cameras": (0x1F4F7, 0x1F4F8),
    "pushing hands": (0x1FAF1, 0x1FAF2, 0x1FAF7, 0x1FAF8),
    "fish": (0x1F41F, 0x1F420),
    "cakes": (0x1F370, 0x1F382),
    "ballot boxes": (0x2611, 0x1F5F3),
}
