"""Names and keywords of emoji."""

import unicodedata

from polymatch.sources.emoji_captions import Collections, bare, keywords, names

GRIN, HEART = (0x1F600,), (0x2764,)


def _collections(**changed: object) -> Collections:
    tables: dict[str, object] = {
        "cldr": (
            {"\U0001f600": {"tts": ["grinning face"], "default": ["face", "smile", ":D"]}},
            {"\u2764": {"tts": ["Red  heart"], "default": ["love"]}},
        ),
        "emojibase": (
            {"hexcode": "1F600", "label": "grinning face", "tags": ["cheery", "heavy heart"]},
            {"hexcode": "2764-FE0F", "label": "red heart", "tags": ["love"]},
        ),
        "shortcodes": ({"1F600": ["grinning", "grin_2"], "2764-FE0F": "heavy-heart"},),
        "unicode_names": {"1F600": "GRINNING FACE", "2764": "HEAVY BLACK HEART"},
        "emojilib": {"\U0001f600": ["grinning_face", "happy"], "\u2764\ufe0f": ["red_heart", "xo"]},
    }
    return Collections(**(tables | changed))  # type: ignore[arg-type]


def test_names_are_merged_over_collections_in_their_order() -> None:
    assert names(_collections()) == {
        GRIN: ("grinning face", "grinning"),
        HEART: ("red heart", "heavy black heart", "heavy heart"),
    }


def test_names_that_differ_in_punctuation_are_one() -> None:
    tables = _collections(
        cldr=({"\U0001f64a": {"tts": ["speak-no-evil monkey"]}},),
        unicode_names={"1F64A": "SPEAK-NO-EVIL MONKEY"},
        emojilib={"\U0001f64a": ["speak_no_evil_monkey"]},
    )
    assert names(tables)[(0x1F64A,)] == ("speak-no-evil monkey",)


def test_keywords_leave_out_names_emoticons_and_short_codes() -> None:
    tables = _collections()
    found = keywords(tables, names(tables))
    assert found == {GRIN: ("cheery", "face", "happy", "smile"), HEART: ("love",)}


def test_keywords_that_fit_more_than_ten_emoji_are_left_out() -> None:
    many = tuple(
        {"hexcode": f"1F6{i:02X}", "label": f"label {i}", "tags": ["common"] + ["rare"] * (i < 10)}
        for i in range(11)
    )
    tables = _collections(cldr=(), emojibase=many, shortcodes=(), unicode_names={}, emojilib={})
    found = keywords(tables, names(tables))
    assert len(found) == 10
    assert set(found.values()) == {("rare",)}


def test_an_emoji_that_is_not_kept_gives_and_blocks_nothing() -> None:
    tables = _collections()
    kept = {HEART: names(tables)[HEART]}
    assert keywords(tables, kept) == {HEART: ("love",)}


def test_bare_code_points_are_those_of_the_character() -> None:
    for text in ("\u0023\ufe0f\u20e3", "\U0001f600", "\u2764\ufe0f\u200d\U0001f525"):
        hexcode = "-".join(f"{ord(c):04X}" for c in text)
        assert bare(hexcode) == tuple(
            ord(c) for c in text if unicodedata.name(c)[:9] != "VARIATION"
        )
