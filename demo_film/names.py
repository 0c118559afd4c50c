"""Invented names; no two of the first 200 seeds share one."""

from __future__ import annotations

import re

_FAMILY = [
    "Asagiri",
    "Mizuse",
    "Kirihara",
    "Hoshimi",
    "Tachikawa",
    "Natsuno",
    "Shirase",
    "Fukami",
    "Komori",
    "Yukishiro",
    "Amane",
    "Sakurai",
    "Kazami",
    "Minase",
    "Orihara",
    "Tsukino",
    "Hayase",
    "Kotobuki",
    "Nagisawa",
    "Umino",
    "Akizuki",
    "Shinonome",
    "Morikawa",
    "Hinase",
    "Karasuma",
    "Wakaba",
    "Ichinose",
    "Tsuzuki",
    "Kuzuha",
    "Senri",
    "Aizawa",
    "Mikage",
    "Hanamori",
    "Suzukaze",
    "Izumino",
    "Tamaki",
    "Yanagi",
    "Fujimori",
    "Kanzaki",
    "Oshiro",
]
_GIVEN = [
    "Akari",
    "Hinata",
    "Mio",
    "Sora",
    "Yuzu",
    "Kanade",
    "Rin",
    "Chihiro",
    "Nagi",
    "Tsumugi",
    "Kaho",
    "Ruka",
    "Minori",
    "Shiori",
    "Ayame",
    "Itsuki",
    "Koto",
    "Fuyuka",
    "Haru",
    "Mizuki",
    "Nao",
    "Riko",
    "Sayo",
    "Towa",
    "Ume",
    "Yuki",
    "Aoi",
    "Chika",
    "Emi",
    "Futaba",
    "Hotaru",
    "Iroha",
    "Kohaku",
    "Madoka",
    "Nene",
    "Otoha",
    "Sena",
    "Suzu",
    "Tamae",
    "Waka",
]


def character_name(seed: int, number: int) -> str:
    """The name of the `number`th character (under 8) of an episode, as FamilyGiven."""
    index = ((seed * 8 + number) * 447 + 131) % (len(_FAMILY) * len(_GIVEN))
    return _FAMILY[index // len(_GIVEN)] + _GIVEN[index % len(_GIVEN)]


def character_tag(name: str) -> str:
    """The name as Danbooru writes it: family_given."""
    return "_".join(part.lower() for part in re.findall("[A-Z][a-z]+", name))
