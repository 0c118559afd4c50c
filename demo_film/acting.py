"""Sequences of drawings: lip flaps, blinks, gestures and head turns, on twos and threes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from demo_film.cast import Pose

Poses = tuple[Pose, ...]
Beats = tuple[tuple[Poses, int], ...]


def _with(poses: Poses, who: int, pose: Pose) -> Poses:
    return (*poses[:who], pose, *poses[who + 1 :])


def hold(poses: Poses, frames: int) -> Beats:
    """One drawing, held."""
    return ((poses, frames),)


def _fit(beats: list[tuple[Poses, int]], frames: int) -> Beats:
    """Cut the beats to `frames`; missing frames extend the last beat, and no beat of one frame remains."""
    out: list[tuple[Poses, int]] = []
    left = frames
    for poses, n in beats:
        take = min(n, left)
        if take >= 2 or (take > 0 and not out):
            out.append((poses, take))
            left -= take
    if left > 0 and out:
        out[-1] = (out[-1][0], out[-1][1] + left)
    return tuple(out)


def lips(poses: Poses, who: int, frames: int, rng: np.random.Generator) -> Beats:
    """One of the people talks: three mouths in turn, two or three frames each, with pauses and a blink."""
    base = poses[who]
    mouths = [base, replace(base, talk=0.5), replace(base, talk=1.0)]
    shut = replace(base, eyes=0.0)
    beats: list[tuple[Poses, int]] = [(poses, int(rng.integers(5, 10)))]
    total, last, blinked = beats[0][1], 0, False
    while total < frames:
        if not blinked and total > frames * 0.45:
            beats += [(poses, 4), (_with(poses, who, shut), 3), (poses, 5)]
            total, last, blinked = total + 12, 0, True
            continue
        choice = int(rng.choice([m for m in range(3) if m != last]))
        n = int(rng.choice([2, 3, 3, 4])) if choice or rng.random() < 0.7 else int(rng.integers(6, 12))
        beats.append((_with(poses, who, mouths[choice]), n))
        total, last = total + n, choice
    return _fit(beats, frames)


def blink(poses: Poses, who: int, frames: int, rng: np.random.Generator) -> Beats:
    """A held drawing with a blink: half shut, shut, half shut."""
    base = poses[who]
    start = int(frames * float(rng.uniform(0.35, 0.6)))
    half, shut = replace(base, eyes=min(base.eyes, 1.0) * 0.5), replace(base, eyes=0.0)
    beats = [
        (poses, start),
        (_with(poses, who, half), 2),
        (_with(poses, who, shut), 3),
        (_with(poses, who, half), 2),
        (poses, frames),
    ]
    return _fit(beats, frames)


def gesture(poses: Poses, who: int, frames: int) -> Beats:
    """One of the people raises an arm and nods in time, each drawing held for some frames."""
    base = poses[who]
    up = replace(base, arms="wave", mouth="laugh")
    tipped = replace(up, tilt=base.tilt + 6)
    beats: list[tuple[Poses, int]] = [(poses, max(frames // 4, 2))]
    total = beats[0][1]
    while total < frames:
        beats += [(_with(poses, who, up), 6), (_with(poses, who, tipped), 6)]
        total += 12
    return _fit(beats, frames)


def head_turn(poses: Poses, who: int, yaw: float, frames: int) -> Beats:
    """A head turns to `yaw` on threes between two holds."""
    base = poses[who]
    steps = 4
    beats: list[tuple[Poses, int]] = [(poses, max((frames - 3 * steps) // 2, 2))]
    for i in range(1, steps + 1):
        t = i / steps
        ease = t * t * (3 - 2 * t)
        turned = replace(
            base, yaw=base.yaw + (yaw - base.yaw) * ease, nod=0.5 * float(np.sin(np.pi * t)), gaze=(0.0, 0.0)
        )
        beats.append((_with(poses, who, turned), 3 if i < steps else frames))
    return _fit(beats, frames)
