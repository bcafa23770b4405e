"""The vocabulary of things that can be drawn: one entry for each subject."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """One drawable thing.

    Attributes:
        key: Name of the subject in scenes and in the drawing tables.
        colour: Key of the colour it is painted in when the prompt states none.
        nouns: Wordings as ``(singular, plural)``, all equally likely.
        faces: Whether the drawing has a front, so that two of them can face each other.
        floats: Whether it hovers rather than stands on the ground.
    """

    key: str
    colour: str
    nouns: tuple[tuple[str, str], ...]
    faces: bool = False
    floats: bool = False


def _subject(key: str, colour: str, nouns: str, kind: str = "") -> Subject:
    """Builds an entry from ``"fox/foxes, vixen/vixens"`` (plural without slash: add an s)."""
    pairs = []
    for noun in nouns.split(", "):
        singular, _, plural = noun.partition("/")
        pairs.append((singular, plural or singular + "s"))
    return Subject(key, colour, tuple(pairs), "faces" in kind, "floats" in kind)


SUBJECTS: dict[str, Subject] = {
    subject.key: subject
    for subject in (
        _subject("fox", "orange", "fox/foxes, vixen, little fox/little foxes", "faces"),
        _subject("cat", "grey", "cat, kitten, kitty/kitties"),
        _subject("rabbit", "white", "rabbit, bunny/bunnies, hare"),
        _subject("elephant", "grey", "elephant, young elephant", "faces"),
        _subject("giraffe", "yellow", "giraffe, tall giraffe", "faces"),
        _subject("bear", "brown", "bear, teddy bear, bear cub"),
        _subject("owl", "brown", "owl, barn owl, wise old owl"),
        _subject("penguin", "navy", "penguin, emperor penguin"),
        _subject("duck", "yellow", "duck, rubber duck, duckling", "faces"),
        _subject("flamingo", "pink", "flamingo, graceful flamingo", "faces"),
        _subject(
            "fish",
            "orange",
            "fish/fish, goldfish/goldfish, tropical fish/tropical fish",
            "faces floats",
        ),
        _subject("whale", "blue", "whale, giant whale, humpback whale", "faces floats"),
        _subject("octopus", "purple", "octopus/octopuses, giant octopus/giant octopuses, kraken"),
        _subject("crab", "red", "crab, beach crab, giant crab"),
        _subject("turtle", "green", "turtle, tortoise, old turtle", "faces"),
        _subject("snake", "green", "snake, serpent, python", "faces"),
        _subject("snail", "brown", "snail, garden snail", "faces"),
        _subject("frog", "lime", "frog, toad, tree frog"),
        _subject(
            "butterfly",
            "orange",
            "butterfly/butterflies, monarch butterfly/monarch butterflies",
            "floats",
        ),
        _subject(
            "dinosaur", "green", "dinosaur, t-rex/t-rexes, tyrannosaurus/tyrannosauruses", "faces"
        ),
        _subject("dragon", "red", "dragon, winged dragon, mythical dragon", "faces"),
        _subject("robot", "grey", "robot, android, friendly robot"),
        _subject("astronaut", "white", "astronaut, cosmonaut, spaceman/spacemen"),
        _subject("snowman", "white", "snowman/snowmen, cheerful snowman/cheerful snowmen"),
        _subject("ghost", "white", "ghost, spooky ghost, phantom", "floats"),
        _subject("wizard", "purple", "wizard, sorcerer, old mage"),
        _subject("car", "red", "car, automobile, vintage car", "faces"),
        _subject("sailboat", "brown", "sailboat, sailing boat, sailing ship"),
        _subject("rocket", "white", "rocket, rocket ship, space rocket", "floats"),
        _subject("train", "black", "train, steam train, steam locomotive", "faces"),
        _subject("bicycle", "blue", "bicycle, bike"),
        _subject(
            "balloon", "red", "hot air balloon, hot-air balloon, giant hot air balloon", "floats"
        ),
        _subject("airplane", "white", "airplane, plane, aeroplane", "faces floats"),
        _subject("submarine", "yellow", "submarine, deep sea submarine", "faces floats"),
        _subject("lighthouse", "red", "lighthouse, old lighthouse, light tower"),
        _subject("castle", "grey", "castle, medieval castle, fortress/fortresses"),
        _subject("windmill", "beige", "windmill, dutch windmill, old windmill"),
        _subject("umbrella", "red", "umbrella, parasol, open umbrella"),
        _subject("teapot", "blue", "teapot, porcelain teapot, tea kettle"),
        _subject("guitar", "brown", "guitar, acoustic guitar"),
        _subject("lamp", "turquoise", "lamp, table lamp, bedside lamp"),
        _subject("clock", "brown", "clock, alarm clock"),
        _subject("crown", "yellow", "crown, royal crown, king's crown"),
        _subject("key", "yellow", "key, antique key, skeleton key"),
        _subject("mushroom", "red", "mushroom, toadstool"),
        _subject("cactus", "green", "cactus/cacti, saguaro cactus/saguaro cacti"),
        _subject("tree", "green", "tree, leafy tree, oak tree"),
        _subject("flower", "pink", "flower, daisy/daisies, blossom"),
        _subject("chair", "brown", "chair, wooden chair, armchair"),
        _subject("apple", "red", "apple, ripe apple, juicy apple"),
        _subject("pumpkin", "orange", "pumpkin, jack-o'-lantern, carved pumpkin"),
        _subject("cake", "pink", "cake, birthday cake, layer cake"),
        _subject("candle", "beige", "candle, burning candle, wax candle"),
        _subject("anchor", "navy", "anchor, ship's anchor, iron anchor"),
    )
}
