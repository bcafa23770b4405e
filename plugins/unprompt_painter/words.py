"""The vocabulary of a prompt besides its subjects: colours, places, styles and the rest."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Tint:
    """A colour: its key, its wordings and the paint that it stands for (RGB, 0..255)."""

    key: str
    words: tuple[str, ...]
    rgb: Colour


@dataclass(frozen=True)
class Term:
    """One value of an attribute.

    Attributes:
        key: Name of the value in scenes and in the drawing tables.
        phrases: Wordings inside a sentence, as in "in a snowy forest".
        tags: Wordings between commas, as in "snowy forest".
    """

    key: str
    phrases: tuple[str, ...]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting(Term):
    """A place; ``sky`` says whether weather and light can be seen there."""

    sky: bool = True


@dataclass(frozen=True)
class Style(Term):
    """A medium; ``phrases`` take "of" ("a photo of"), ``hides`` names what it does not show."""

    hides: frozenset[str] = frozenset()


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split("|"))


def _term(key: str, phrases: str, tags: str) -> Term:
    return Term(key, _split(phrases), _split(tags))


def _setting(key: str, phrases: str, tags: str, sky: bool = True) -> Setting:
    return Setting(key, _split(phrases), _split(tags), sky)


def _style(key: str, phrases: str, tags: str, hides: str = "") -> Style:
    return Style(key, _split(phrases), _split(tags), frozenset(hides.split()))


COLOURS: dict[str, Tint] = {
    key: Tint(key, _split(words), rgb)
    for key, words, rgb in (
        ("red", "red|crimson|scarlet", (216, 32, 36)),
        ("orange", "orange|tangerine", (244, 128, 24)),
        ("yellow", "yellow|golden|lemon yellow", (250, 212, 40)),
        ("lime", "lime green|bright green|neon green", (150, 222, 48)),
        ("green", "green|emerald|dark green", (24, 128, 56)),
        ("turquoise", "turquoise|teal|cyan", (40, 196, 200)),
        ("blue", "blue|azure|bright blue", (44, 116, 236)),
        ("navy", "navy blue|dark blue|midnight blue", (28, 40, 116)),
        ("purple", "purple|violet", (136, 52, 190)),
        ("pink", "pink|rose pink|hot pink", (250, 132, 186)),
        ("brown", "brown|chocolate brown", (128, 76, 36)),
        ("beige", "beige|cream-colored|tan", (226, 200, 156)),
        ("white", "white|pure white|snow-white", (246, 246, 246)),
        ("grey", "grey|gray|silver", (142, 146, 154)),
        ("black", "black|jet black", (34, 34, 38)),
    )
}

COUNTS: dict[int, tuple[str, ...]] = {
    2: ("two", "a pair of"),
    3: ("three", "a group of three"),
    4: ("four", "a group of four"),
    5: ("five", "a group of five"),
}

RELATIONS: dict[str, Term] = {
    term.key: term
    for term in (
        _term("beside", "next to|beside|with", ""),
        _term("on", "on top of|riding on|sitting on", ""),
        _term("in_front", "in front of|standing before", ""),
        _term("under", "under|below|beneath", ""),
        _term("above", "floating above|flying over|hovering over", ""),
        _term("facing", "facing|face to face with|looking at", ""),
    )
}

SETTINGS: dict[str, Setting] = {
    setting.key: setting
    for setting in (
        _setting("forest", "in a forest|in the woods|in a pine forest", "forest|deep woods"),
        _setting("desert", "in the desert|among sand dunes|in a sandy desert", "desert|sand dunes"),
        _setting("beach", "on a beach|on a tropical beach|by the sea", "beach|tropical beach"),
        _setting(
            "mountains",
            "in the mountains|in front of snow-capped peaks|in the alps",
            "mountain landscape|snowy peaks",
        ),
        _setting(
            "city",
            "in a city street|in the big city|in front of skyscrapers",
            "city street|city skyline",
        ),
        _setting(
            "space",
            "in outer space|floating in space|among the stars and planets",
            "outer space|galaxy background",
            False,
        ),
        _setting(
            "underwater",
            "underwater|under the sea|at a coral reef",
            "underwater scene|coral reef",
            False,
        ),
        _setting(
            "snowfield",
            "in a snowy field|in a snow-covered landscape|on the ice",
            "snowy field|winter landscape",
        ),
        _setting(
            "meadow",
            "in a meadow|in a field of flowers|in a grassy field",
            "flower meadow|green meadow",
        ),
        _setting(
            "room",
            "in a living room|in a cozy room|inside a house",
            "living room|cozy interior",
            False,
        ),
        _setting(
            "volcano",
            "near an erupting volcano|in a volcanic landscape|in front of a volcano",
            "erupting volcano|lava landscape",
        ),
        _setting("swamp", "in a swamp|in a murky marsh|in the bayou", "swamp|murky marsh"),
        _setting(
            "river",
            "by a river|on a river bank|beside a winding stream",
            "river bank|winding river",
        ),
        _setting("cave", "in a cave|inside a dark cavern|in a grotto", "dark cave|cavern", False),
        _setting(
            "stage",
            "on a theater stage|on stage|in front of red curtains",
            "theater stage|stage with red curtains",
            False,
        ),
        _setting(
            "library",
            "in a library|in front of bookshelves|in an old library",
            "library|bookshelves",
            False,
        ),
        _setting("wheat", "in a wheat field|in a golden field|on a farm", "wheat field|farmland"),
    )
}

STYLES: dict[str, Style] = {
    style.key: style
    for style in (
        _style("photo", "a photo|a photograph|a realistic photo", "photography|dslr photo|35mm"),
        _style("watercolor", "a watercolor painting|a watercolor", "watercolor|aquarelle"),
        _style(
            "oil", "an oil painting|an impressionist painting", "oil on canvas|thick brush strokes"
        ),
        _style(
            "pencil",
            "a pencil sketch|a pencil drawing|a sketch",
            "pencil sketch|graphite drawing",
            "colour light",
        ),
        _style(
            "ink",
            "a line drawing|an ink drawing|a coloring book page",
            "line art|black and white ink",
            "colour light",
        ),
        _style(
            "charcoal",
            "a charcoal drawing|a charcoal sketch",
            "charcoal on paper|charcoal",
            "colour light",
        ),
        _style("pixel", "pixel art|an 8-bit sprite", "pixel art|8-bit game graphics"),
        _style("glass", "a stained glass window|a stained glass artwork", "stained glass"),
        _style("lowpoly", "a low poly render|low poly art", "low poly|polygonal 3d"),
        _style("comic", "a comic book panel|pop art", "comic book style|pop art halftone"),
        _style(
            "blueprint",
            "a blueprint|a technical blueprint drawing",
            "blueprint|white lines on blue paper",
            "colour light",
        ),
        _style("neon", "a neon sign|a synthwave artwork", "neon glow|synthwave"),
        _style("papercut", "a paper cut-out|a paper collage", "paper cutout|layered paper craft"),
        _style("mosaic", "a mosaic|a roman mosaic", "tile mosaic|mosaic tiles"),
        _style(
            "sepia",
            "a vintage sepia photograph|an old daguerreotype",
            "sepia|1890s photo",
            "colour light",
        ),
    )
}

WEATHER: dict[str, Term] = {
    term.key: term
    for term in (
        _term("rain", "in the rain|on a rainy day|in heavy rain", "rain|rainy weather"),
        _term("snow", "in falling snow|during a snowfall|in a blizzard", "snowfall|snowing"),
        _term("fog", "in thick fog|in the mist|on a foggy day", "fog|misty"),
        _term("storm", "in a thunderstorm|during a lightning storm", "thunderstorm|lightning"),
        _term("rainbow", "under a rainbow|with a rainbow in the sky", "rainbow"),
        _term(
            "wind",
            "in a strong wind|with leaves blowing in the wind|on a windy day",
            "windy|wind-blown leaves",
        ),
    )
}

LIGHTS: dict[str, Term] = {
    term.key: term
    for term in (
        _term("noon", "on a sunny day|in bright sunshine|at noon", "sunny|bright sunlight"),
        _term("sunset", "at sunset|at golden hour|in the evening glow", "sunset|golden hour"),
        _term("dawn", "at dawn|at sunrise|in the early morning", "sunrise|pink dawn"),
        _term("night", "at night|in the moonlight|under a starry sky", "night|moonlight"),
        _term(
            "aurora",
            "under the northern lights|under the aurora borealis",
            "northern lights|aurora",
        ),
    )
}

# A bow needs sunlight and a storm has none of its own: other pairs do not occur.
LIGHTS_IN: dict[str | None, tuple[str, ...]] = {
    None: ("noon", "sunset", "dawn", "night", "aurora"),
    "rain": ("sunset", "dawn", "night"),
    "snow": ("sunset", "dawn", "night", "aurora"),
    "fog": ("sunset", "dawn", "night"),
    "storm": (),
    "rainbow": (),
    "wind": ("noon", "sunset", "dawn", "night"),
}

MODIFIERS: tuple[str, ...] = _split(
    "highly detailed|trending on artstation|4k|8k resolution|award winning|masterpiece|"
    "by Elda Morvane|by Tomas Quillfeather|by Ines Abarrow|in the style of Juno Lakewright|"
    "intricate|sharp focus|beautiful composition|artstation hq|deviantart|best quality|"
    "hyperdetailed|octane render|unreal engine|cinematic|concept art|dramatic|epic|professional|"
    "very aesthetic|smooth|stunning|featured on behance|wallpaper|ultra hd"
)

# What a prompt without a style may call the picture; the empty wording is the likeliest.
PLAIN: tuple[str, ...] = ("", "", "a picture of", "an image of", "an illustration of")
