"""Appearances, outfits, poses, and a cast of named characters and unnamed extras from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from demo_film.names import character_name, character_tag
from demo_film.palette import CLOTH, EYES, HAIR

FRINGES = ("straight", "swept", "curtain", "spiky", "messy")
BACKS = ("short", "bob", "medium", "long", "twintails", "low_twintails", "ponytail", "side_ponytail", "double_bun")
BOY_FRINGES = ("swept", "spiky", "messy")
OUTFITS = ("sailor", "blazer", "cardigan", "hoodie", "dress", "tshirt", "coat", "yukata")
BOY_OUTFITS = ("blazer", "gakuran", "hoodie", "tshirt", "coat")
ACCESSORIES = ("none", "hairclip", "ribbon", "flower", "headband", "glasses", "none")
MOUTHS = ("closed", "smile", "frown", "small", "open", "laugh", "grin")
BROWS = ("calm", "raised", "angry", "sad")

_FRINGE_TAGS = {"straight": "blunt_bangs", "swept": "swept_bangs", "curtain": "parted_bangs", "messy": "messy_hair"}
_BACK_TAGS: dict[str, tuple[str, ...]] = {
    "short": ("short_hair",),
    "bob": ("short_hair", "bob_cut"),
    "medium": ("medium_hair",),
    "long": ("long_hair",),
    "twintails": ("long_hair", "twintails"),
    "low_twintails": ("long_hair", "low_twintails"),
    "ponytail": ("long_hair", "ponytail"),
    "side_ponytail": ("long_hair", "side_ponytail"),
    "double_bun": ("short_hair", "double_bun"),
}
_OUTFIT_TAGS: dict[str, tuple[str, ...]] = {
    "sailor": ("school_uniform", "serafuku", "sailor_collar", "neckerchief"),
    "blazer": ("school_uniform", "blazer", "collared_shirt"),
    "gakuran": ("school_uniform", "gakuran"),
    "cardigan": ("cardigan", "collared_shirt"),
    "hoodie": ("hoodie",),
    "dress": ("dress",),
    "tshirt": ("shirt", "t-shirt"),
    "coat": ("coat", "scarf"),
    "yukata": ("japanese_clothes", "yukata", "obi"),
}
_ACCESSORY_TAGS = {
    "hairclip": "hairclip", "ribbon": "hair_ribbon", "flower": "hair_flower", "headband": "hairband",
    "glasses": "glasses",
}  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """Clothes: a kind and its cloth colours by name."""

    kind: str
    main: str
    second: str
    accent: str

    @property
    def tags(self) -> list[str]:
        """Danbooru tags of the clothes."""
        head = f"{self.main}_{_OUTFIT_TAGS[self.kind][-1 if self.kind in ('dress', 'hoodie', 'cardigan') else 0]}"
        with_headwear = [head] if self.kind in ("dress", "hoodie", "cardigan", "tshirt") else []
        return [*_OUTFIT_TAGS[self.kind], *with_headwear]


@dataclass(frozen=True)
class Appearance:
    """Everything that makes a person recognisable, in one costume."""

    hair: str
    eyes: str
    skin: str
    fringe: str
    back: str
    outfit: Outfit
    accessory: str = "none"
    accent: str = "red"
    boy: bool = False
    eye_shape: str = "round"
    chin: float = 0.0
    locks: int = 0

    @property
    def tags(self) -> list[str]:
        """Danbooru tags of what is visible of this person from the front."""
        out = [f"{self.hair}_hair", f"{self.eyes}_eyes", *_BACK_TAGS[self.back]]
        if self.fringe in _FRINGE_TAGS:
            out.append(_FRINGE_TAGS[self.fringe])
        if self.accessory in _ACCESSORY_TAGS:
            out.append(_ACCESSORY_TAGS[self.accessory])
        if self.skin in ("tan", "dark"):
            out.append("dark_skin" if self.skin == "dark" else "tan")
        return [*out, *self.outfit.tags]


@dataclass(frozen=True)
class Pose:
    """The pose of a person in one drawing: `yaw` in degrees (0 front, + to the right, 180 back), expression, arms."""

    yaw: float = 0.0
    tilt: float = 0.0
    nod: float = 0.0
    eyes: float = 1.0
    smiling_eyes: bool = False
    gaze: tuple[float, float] = (0.0, 0.0)
    brows: str = "calm"
    mouth: str = "closed"
    talk: float = 0.0
    blush: float = 0.35
    arms: str = "down"

    @property
    def view(self) -> str:
        """front, three_quarter, side or back."""
        a = abs(self.yaw)
        return "front" if a < 18 else "three_quarter" if a < 65 else "side" if a < 115 else "back"


@dataclass(frozen=True)
class Person:
    """A named character (or an extra with an empty name) with its appearance by costume; the first is the usual one."""

    key: str
    name: str
    tag: str
    appearances: dict[str, Appearance] = field(default_factory=dict, hash=False)


def pick(rng: np.random.Generator, items: tuple[str, ...] | list[str]) -> str:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def random_outfit(rng: np.random.Generator, *, boy: bool) -> Outfit:
    """Clothes of any kind and colour."""
    colours = list(CLOTH)
    kind = pick(rng, BOY_OUTFITS if boy else OUTFITS)
    main, second, accent = (colours[i] for i in rng.permutation(len(colours))[:3])
    if kind == "sailor":
        main, second = "white", pick(rng, ["navy", "black", "teal", "grey", "brown"])
    elif kind == "gakuran":
        main, second = pick(rng, ["black", "navy"]), "grey"
    elif kind == "blazer":
        main = pick(rng, ["navy", "grey", "brown", "beige", "black", "teal"])
    return Outfit(kind, main, second, accent)


def random_appearance(rng: np.random.Generator, *, hair: str = "", boy: bool | None = None) -> Appearance:
    """Any person; `hair` fixes the hair colour, `boy` the build."""
    male = bool(rng.random() < 0.22) if boy is None else boy
    hair_name = hair or pick(rng, list(HAIR))
    accessory = pick(rng, ("none", "none", "glasses")) if male else pick(rng, ACCESSORIES)
    return Appearance(
        hair=hair_name,
        eyes=pick(rng, list(EYES)),
        skin=pick(rng, ("fair", "fair", "light", "light", "light", "warm", "tan", "dark")),
        fringe=pick(rng, BOY_FRINGES if male else FRINGES),
        back="short" if male else pick(rng, BACKS),
        outfit=random_outfit(rng, boy=male),
        accessory=accessory,
        accent=pick(rng, ["red", "pink", "yellow", "blue", "white", "purple", "orange", "teal"]),
        boy=male,
        eye_shape=pick(rng, ("round", "round", "sharp", "droopy")),
        chin=float(rng.uniform(-0.06, 0.06)),
        locks=int(rng.integers(1 << 30)),
    )


def random_pose(rng: np.random.Generator, *, back_views: bool = True) -> Pose:
    """A random view and expression with the frequencies of films: more front and three-quarter views than profiles."""
    kind = rng.choice(["front", "three_quarter", "side", "back"], p=[0.4, 0.36, 0.16, 0.08])
    if kind == "back" and not back_views:
        kind = "front"
    side = 1 if rng.random() < 0.5 else -1
    low, high = {"front": (0, 14), "three_quarter": (22, 50), "side": (78, 92), "back": (140, 180)}[str(kind)]
    shut = rng.random()
    return Pose(
        yaw=side * float(rng.uniform(low, high)),
        tilt=float(rng.normal(0, 7)),
        nod=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        eyes=0.0 if shut < 0.12 else float(rng.uniform(0.55, 1.05)),
        smiling_eyes=bool(shut < 0.05),
        gaze=(float(rng.uniform(-0.7, 0.7)), float(rng.uniform(-0.4, 0.4))),
        brows=pick(rng, BROWS),
        mouth=pick(rng, MOUTHS),
        blush=float(rng.choice([0.0, 0.25, 0.4, 0.9], p=[0.25, 0.3, 0.3, 0.15])),
        arms=pick(rng, ("down", "down", "chest", "wave")),
    )


def _other_costume(rng: np.random.Generator, appearance: Appearance) -> Appearance:
    """The same person after school: other clothes and the hair worn differently."""
    backs = [b for b in ("long", "ponytail", "twintails", "side_ponytail", "low_twintails") if b != appearance.back]
    while (
        outfit := random_outfit(rng, boy=appearance.boy)
    ).kind == appearance.outfit.kind or outfit.main == appearance.outfit.main:
        pass
    return replace(appearance, back=backs[int(rng.integers(len(backs)))], outfit=outfit, accessory="ribbon")


def make_cast(seed: int, *, named: int = 6, extras: int = 5) -> tuple[list[Person], list[Person]]:
    """The named characters (the first two share their hair colour, the third changes costume) and the extras."""
    rng = np.random.default_rng([seed, 11])
    colours = [str(c) for c in rng.permutation(list(HAIR))]
    eyes = [str(c) for c in rng.permutation(list(EYES))]
    backs = [str(b) for b in rng.permutation([b for b in BACKS if b not in ("short", "long")])]
    hairs = [colours[0], colours[0], *colours[1 : named - 1]]
    uniform = random_outfit(rng, boy=False)
    while uniform.kind not in ("sailor", "blazer"):
        uniform = random_outfit(rng, boy=False)
    cast: list[Person] = []
    for i in range(named):
        appearance = random_appearance(rng, hair=hairs[i], boy=i == 4)
        appearance = replace(appearance, eyes=eyes[i], skin=("fair", "light", "light", "fair", "warm", "tan")[i % 6])
        if not appearance.boy:
            appearance = replace(appearance, back="long" if i == 2 else "bob" if i == 0 else backs[i])
        if i == 1:
            appearance = replace(appearance, back="twintails", fringe="swept")
        if i in (0, 2, 3):
            appearance = replace(appearance, outfit=uniform)
        elif i == 4:
            appearance = replace(appearance, outfit=Outfit("blazer", uniform.second, "white", uniform.accent))
        if i == 0:
            appearance = replace(appearance, fringe="straight", accessory="hairclip")
        usual = {"sailor": "Uniform", "blazer": "Uniform"}.get(
            appearance.outfit.kind, appearance.outfit.kind.capitalize()
        )
        looks = {usual: appearance}
        if i == 2:
            after = _other_costume(rng, appearance)
            looks["Casual"] = after
        name = character_name(seed, i)
        cast.append(Person(character_tag(name), name, character_tag(name), looks))
    people: list[Person] = []
    for i in range(extras):
        appearance = random_appearance(rng, hair=pick(rng, [c for c in HAIR if c not in hairs]), boy=i % 2 == 0)
        people.append(Person(f"extra_{i + 1}", "", "", {"Usual": appearance}))
    return cast, people
