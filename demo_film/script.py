"""The script of the film: scenes, shots, positions of people, sequences of drawings, camera moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from demo_film.acting import blink, gesture, head_turn, hold, lips
from demo_film.cast import Person, Pose, make_cast

# A beat: the poses of all actors and for how many frames they are held.
Beat = tuple[tuple[Pose, ...], int]


@dataclass(frozen=True)
class Actor:
    """A person in a shot: the skull's centre (x of the width, y of the height) and radius (of the height)."""

    person: Person
    costume: str
    x: float
    y: float
    unit: float


@dataclass(frozen=True)
class Plan:
    """A shot as planned. `camera`: still, pan_left, pan_right, pan_up, zoom_in or zoom_out."""

    kind: str
    place: str
    ground: int
    actors: tuple[Actor, ...]
    beats: tuple[Beat, ...]
    camera: str = "still"
    part: str = "story"
    blur: float = 0.0
    fade_in: int = 0
    fade_out: int = 0
    cross: int = 0
    title: str = ""

    @property
    def frames(self) -> int:
        """Length of the shot."""
        return sum(n for _, n in self.beats)


@dataclass
class Scene:
    """A place with the people who are there and what they wear."""

    place: str
    people: list[tuple[Person, str]]
    ground: int
    used: int = field(default=0)


def make_script(seed: int, frames: int) -> tuple[list[Plan], list[Person], list[Person]]:
    """The shots of an episode of `frames` frames, its named characters and its extras."""
    rng = np.random.default_rng([seed, 23])
    cast, extras = make_cast(seed)
    opening_frames = int(frames * 8 / 75)
    story_frames = frames - 2 * opening_frames
    opening = _opening(np.random.default_rng([seed, 31]), cast, opening_frames)
    story = _story(rng, cast, extras, story_frames)
    again = [replace(p, part="opening_again") for p in opening]
    story[0] = replace(story[0], fade_in=min(14, story[0].frames // 3))
    story[-1] = replace(story[-1], fade_out=min(16, story[-1].frames // 3))
    return [*opening, *story, *again], cast, extras


def _share(total: int, parts: int) -> list[int]:
    cuts = [round(total * i / parts) for i in range(parts + 1)]
    return [b - a for a, b in pairwise(cuts)]


def _opening(rng: np.random.Generator, cast: list[Person], frames: int) -> list[Plan]:
    """Scenery with the title, then a portrait of each character, then all of them."""
    count = max(2, min(len(cast) + 2, frames // 14))
    lengths = _share(frames, count)
    plans: list[Plan] = []
    order = [cast[i] for i in rng.permutation(len(cast))]
    for i, n in enumerate(lengths):
        ground = int(rng.integers(1 << 30))
        if i == 0:
            camera = "pan_up" if n >= 20 else "still"
            plans.append(
                Plan(
                    "scenery", "hill", ground, (), (((), n),), camera, "opening", title="title", fade_in=min(8, n // 3)
                )
            )
        elif i == count - 1 and count > 3:
            actors = _row(rng, [(p, next(iter(p.appearances))) for p in order[:4]], 0.46, 0.105)
            poses = tuple(
                Pose(mouth=str(rng.choice(["smile", "laugh"])), yaw=float(rng.uniform(-12, 12))) for _ in actors
            )
            plans.append(Plan("group", "hill", ground, actors, hold(poses, n), "zoom_out", "opening"))
        else:
            person = order[(i - 1) % len(order)]
            side = 1 if i % 2 else -1
            yaw = float(rng.choice([0, 30, 36])) * -side
            pose = Pose(yaw=yaw, tilt=float(rng.uniform(-6, 6)), mouth=str(rng.choice(["smile", "laugh", "closed"])))
            actor = Actor(
                person, next(iter(person.appearances)), 0.5 + 0.16 * side, 0.46, float(rng.uniform(0.21, 0.25))
            )
            beats = hold((pose,), n) if n < 20 or i % 3 else blink((pose,), 0, n, rng)
            camera = "still" if i % 3 == 0 else ("pan_left" if side > 0 else "pan_right")
            plans.append(
                Plan(
                    "portrait",
                    "stripes",
                    ground,
                    (actor,),
                    hold((pose,), n) if camera != "still" else beats,
                    camera,
                    "opening",
                )
            )
    return plans


def _row(
    rng: np.random.Generator, people: list[tuple[Person, str]], y: float, unit: float, *, spread: float = 0.86
) -> tuple[Actor, ...]:
    """People beside each other, heads at about the height `y`."""
    n = len(people)
    out = []
    for i, (person, costume) in enumerate(people):
        x = 0.5 + ((i + 0.5) / n - 0.5) * spread
        tall = 0.02 if next(iter(person.appearances.values())).boy else 0.0
        size = unit * float(rng.uniform(0.95, 1.05))
        out.append(
            Actor(
                person, costume, x + float(rng.uniform(-0.015, 0.015)), y - tall + float(rng.uniform(-0.02, 0.02)), size
            )
        )
    return tuple(out)


def _scenes(rng: np.random.Generator, cast: list[Person], count: int) -> list[Scene]:
    """Scenes in places in an order of the seed's; everyone has some, the third character changes clothes half way."""
    places = [
        str(p)
        for p in rng.permutation(["classroom", "garden", "corridor", "town", "train", "bedroom", "street", "hill"])
    ]
    queue = [int(i) for _ in range(count * 4 // len(cast) + 2) for i in rng.permutation(len(cast))]
    scenes = []
    for s in range(count):
        chosen: list[int] = []
        if s in (0, count // 2, count - 1):
            chosen.append(2)
        while len(chosen) < 4:
            nxt = next((q for q in queue if q not in chosen), None)
            if nxt is None:
                break
            queue.remove(nxt)
            chosen.append(nxt)
        people = []
        for i in chosen:
            costumes = list(cast[i].appearances)
            people.append((cast[i], costumes[-1] if s >= count / 2 else costumes[0]))
        scenes.append(Scene(places[s % len(places)], people, int(rng.integers(1 << 30))))
    return scenes


_KINDS = (
    "talk",
    "close",
    "two",
    "side",
    "group3",
    "full",
    "back",
    "over",
    "zoom",
    "group4",
    "extras",
    "look_round",
    "pan_body",
)


def _story(rng: np.random.Generator, cast: list[Person], extras: list[Person], frames: int) -> list[Plan]:
    count = max(3, round(frames / 55))
    scenes = _scenes(rng, cast, max(1, round(count / 5)))
    lengths = [int(v) for v in _lengths(rng, frames, count)]
    kinds = [str(k) for _ in range(count // len(_KINDS) + 1) for k in rng.permutation(_KINDS)]
    plans: list[Plan] = []
    per_scene = count / len(scenes)
    for i, n in enumerate(lengths):
        s = min(int(i / per_scene), len(scenes) - 1)
        first = i == 0 or min(int((i - 1) / per_scene), len(scenes) - 1) != s
        scene = scenes[s]
        plan = _scenery(rng, scene, n) if first else _SHOTS[kinds.pop(0)](rng, scene, extras, n)
        if first and i > 0 and s % 2 == 1:
            plan = replace(plan, cross=min(12, n // 3))
        plans.append(plan)
    return plans


def _lengths(rng: np.random.Generator, frames: int, count: int) -> list[int]:
    weights = rng.uniform(0.75, 1.3, count)
    ends = np.rint(np.cumsum(weights) / weights.sum() * frames).astype(int)
    return [int(b - a) for a, b in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True)]


def _someone(scene: Scene) -> tuple[Person, str]:
    scene.used += 1
    return scene.people[(scene.used - 1) % len(scene.people)]


def _choose_actors(scene: Scene, n: int) -> list[tuple[Person, str]]:
    scene.used += 1
    k = scene.used
    return [scene.people[(k + i) % len(scene.people)] for i in range(n)]


def _mood(rng: np.random.Generator, yaw: float) -> Pose:
    return Pose(
        yaw=yaw,
        tilt=float(rng.uniform(-5, 5)),
        gaze=(float(rng.uniform(-0.4, 0.4)), 0.0),
        brows=str(rng.choice(["calm", "calm", "raised", "sad", "angry"])),
        mouth=str(rng.choice(["closed", "smile", "smile", "frown", "small", "open"])),
        blush=float(rng.choice([0.2, 0.35, 0.9], p=[0.4, 0.45, 0.15])),
        eyes=float(rng.choice([1.0, 1.0, 0.75])),
    )


def _scenery(rng: np.random.Generator, scene: Scene, n: int) -> Plan:
    camera = str(rng.choice(["still", "pan_left", "pan_right", "zoom_in"]))
    return Plan("scenery", scene.place, scene.ground, (), (((), n),), camera)


def _talk(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    person, costume = _someone(scene)
    actor = Actor(person, costume, float(rng.uniform(0.36, 0.64)), 0.42, float(rng.uniform(0.105, 0.132)))
    pose = replace(_mood(rng, float(rng.choice([0, 8, -28, 30, -36, 36]))), mouth="closed")
    return Plan("talk", scene.place, scene.ground, (actor,), lips((pose,), 0, n, rng), blur=0.006)


def _close(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    person, costume = _someone(scene)
    actor = Actor(person, costume, float(rng.uniform(0.42, 0.58)), 0.50, float(rng.uniform(0.26, 0.33)))
    pose = _mood(rng, float(rng.choice([-6, 6, -30, 30, -40, 40])))
    return Plan("close", scene.place, scene.ground, (actor,), blink((pose,), 0, n, rng), blur=0.014)


def _two(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    actors = _row(rng, _choose_actors(scene, 2), 0.45, 0.132, spread=0.74)
    yaw = float(rng.choice([30, 40, 84]))
    poses = (_mood(rng, yaw), replace(_mood(rng, -min(yaw, 40)), mouth="closed"))
    return Plan("two", scene.place, scene.ground, actors, lips(poses, 1, n, rng), blur=0.005)


def _side(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    person, costume = _someone(scene)
    s = 1 if rng.random() < 0.5 else -1
    actor = Actor(person, costume, 0.5 - 0.12 * s, 0.46, float(rng.uniform(0.19, 0.24)))
    return Plan("side", scene.place, scene.ground, (actor,), blink((_mood(rng, s * 86.0),), 0, n, rng), blur=0.010)


def _group3(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    actors = _row(rng, _choose_actors(scene, 3), 0.45, 0.112)
    poses = (_mood(rng, 32), replace(_mood(rng, 4), mouth="closed"), _mood(rng, -34))
    return Plan("group", scene.place, scene.ground, actors, lips(poses, 1, n, rng), blur=0.004)


def _group4(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    actors = _row(rng, _choose_actors(scene, 4), 0.46, 0.098, spread=0.92)
    poses = tuple(_mood(rng, y) for y in (34.0, 8.0, -10.0, -34.0))
    return Plan("group", scene.place, scene.ground, actors, blink(poses, int(rng.integers(4)), n, rng))


def _full(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    unit = float(rng.uniform(0.050, 0.058))
    actors = _row(rng, _choose_actors(scene, int(rng.integers(2, 4))), 0.94 - 10.4 * unit, unit, spread=0.55)
    poses = tuple(_mood(rng, float(rng.choice([0, -30, 30]))) for _ in actors)
    return Plan("full", scene.place, scene.ground, actors, gesture(poses, 0, n), "still")


def _back(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    actors = _row(rng, _choose_actors(scene, int(rng.integers(1, 3))), 0.48, float(rng.uniform(0.13, 0.17)), spread=0.6)
    poses = tuple(Pose(yaw=float(rng.choice([160, 172, -165]))) for _ in actors)
    return Plan("back", scene.place, scene.ground, actors, hold(poses, n), "zoom_in")


def _over(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    (a, ca), (b, cb) = _choose_actors(scene, 2)
    s = 1 if rng.random() < 0.5 else -1
    actors = (Actor(a, ca, 0.5 + 0.14 * s, 0.42, 0.125), Actor(b, cb, 0.5 - 0.36 * s, 0.62, 0.26))
    poses = (replace(_mood(rng, -20.0 * s), mouth="closed"), Pose(yaw=150.0 * s))
    return Plan("over_shoulder", scene.place, scene.ground, actors, lips(poses, 0, n, rng), blur=0.006)


def _zoom(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    person, costume = _someone(scene)
    actor = Actor(person, costume, 0.5, 0.45, float(rng.uniform(0.17, 0.20)))
    poses = (_mood(rng, float(rng.choice([0, 26, -26]))),)
    return Plan("zoom", scene.place, scene.ground, (actor,), hold(poses, n), "zoom_in", blur=0.006)


def _extras(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    picked = [extras[int(i)] for i in rng.permutation(len(extras))[:2]]
    people = [(picked[0], "Usual"), _someone(scene), (picked[1], "Usual")]
    actors = _row(rng, people, 0.45, float(rng.uniform(0.09, 0.115)))
    poses = (_mood(rng, 34), _mood(rng, float(rng.choice([-8, 8]))), _mood(rng, -30))
    return Plan("extras", scene.place, scene.ground, actors, blink(poses, 1, n, rng))


def _look_round(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    person, costume = _someone(scene)
    actor = Actor(person, costume, 0.5, 0.44, float(rng.uniform(0.15, 0.19)))
    s = 1 if rng.random() < 0.5 else -1
    pose = _mood(rng, -34.0 * s)
    return Plan("look_round", scene.place, scene.ground, (actor,), head_turn((pose,), 0, 34.0 * s, n), blur=0.008)


def _pan_body(rng: np.random.Generator, scene: Scene, extras: list[Person], n: int) -> Plan:
    actors = _row(rng, _choose_actors(scene, int(rng.integers(1, 3))), 0.44, 0.135, spread=0.5)
    poses = tuple(_mood(rng, float(rng.choice([0, -28, 28]))) for _ in actors)
    camera = str(rng.choice(["pan_left", "pan_right", "pan_up"]))
    return Plan("pan", scene.place, scene.ground, actors, hold(poses, n), camera, blur=0.004)


_SHOTS = {
    "talk": _talk, "close": _close, "two": _two, "side": _side, "group3": _group3, "group4": _group4, "full": _full,
    "back": _back, "over": _over, "zoom": _zoom, "extras": _extras, "look_round": _look_round, "pan_body": _pan_body,
}  # fmt: skip
