"""The catalogue of supported public models: repository, files, size and licence of each.

Nothing is downloaded unless requested. Unknown values are empty; pages and commands say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ingest.errors import BadInput

APACHE, MIT = "Apache-2.0", "MIT"  # SPDX identifiers
OPENRAIL = "OpenRAIL"  # the cards say `openrail`, without a version; SPDX knows only versions
LISTS = "lists"  # family of tag lists, which are not models but are installed like them
RECOMMENDED = frozenset({
    "wd-swinv2-tagger-v3", "face_detect_v1.4_s", "head_detect_v2.0_s", "person_detect_v1.1_m", "halfbody_detect_v1.0_s",
    "hand_detect_v1.0_s", "eye_detect_v1.0_s", "ccip-caformer-24-randaug-pruned", "anime_classification", "isnetis",
    "ch_PP-OCRv4_det", "RealESRGAN_x4plus_anime_6B",
})  # fmt: skip
# What the repositories' own pages state, taken in December 2026 from archived copies of 2024 to 2026; where they
# differ, from the newest. It is the word of whoever uploaded the files. Not listed: no statement was found.
LICENCES = {
    **{
        f"SmilingWolf/wd-{kind}": APACHE
        for kind in (
            "v1-4-swinv2-tagger-v2", "v1-4-convnext-tagger-v2", "v1-4-convnextv2-tagger-v2", "v1-4-vit-tagger-v2",
            "v1-4-moat-tagger-v2", "swinv2-tagger-v3", "convnext-tagger-v3", "vit-tagger-v3", "vit-large-tagger-v3",
            "eva02-large-tagger-v3",
        )
    },
    "Salesforce/blip2-opt-2.7b": MIT,
    "cella110n/cl_tagger_v2": "CL Tagger v2 Model License v1.0",
    "deepghs/anime_aesthetic": OPENRAIL,
    "deepghs/anime_censor_detection": MIT,
    "deepghs/anime_classification": MIT,
    "deepghs/anime_eye_detection": OPENRAIL,
    "deepghs/anime_face_detection": MIT,
    "deepghs/anime_halfbody_detection": OPENRAIL,
    "deepghs/anime_hand_detection": OPENRAIL,
    "deepghs/anime_head_detection": MIT,
    "deepghs/anime_person_detection": MIT,
    "deepghs/anime_rating": MIT,
    "deepghs/bangumi_char_type": OPENRAIL,
    "deepghs/ccip_onnx": OPENRAIL,
    "deepghs/cdc_anime_onnx": MIT,
    "deepghs/imgutils-models": MIT,
    "deepghs/ml-danbooru-onnx": MIT,
    "deepghs/monochrome_detect": MIT,
    "deepghs/paddleocr": "model-distribution-disclaimer-license",
    "deepghs/pixai-tagger-v0.9-onnx": APACHE,
    "skytnt/anime-seg": APACHE,
}  # fmt: skip
MOBILENET_BYTES = 16_800_000  # every classifier on mobilenetv3_large_100
YOLO_BYTES = {"n": 12_100_000, "s": 44_600_000, "m": 103_000_000, "x": 273_000_000}  # one network per size
# Bytes of all files, as the same pages list them; where only a sibling's listing was found, that of the same network.
SIZES = {
    "wd-swinv2-tagger-v3": 467_000_000,
    "wd-eva02-large-tagger-v3": 1_260_000_000,
    "wd-vit-tagger-v3": 379_000_000,
    "wd-vit-large-tagger-v3": 1_260_000_000,
    "wd-convnext-tagger-v3": 395_000_000,
    "wd-v1-4-swinv2-tagger-v2": 455_000_000,
    "wd-v1-4-convnext-tagger-v2": 388_000_000,
    "wd-v1-4-convnextv2-tagger-v2": 388_000_000,
    "wd-v1-4-vit-tagger-v2": 373_000_000,
    "wd-v1-4-moat-tagger-v2": 326_000_000,
    "deepdanbooru": 644_000_000,
    "ml-danbooru": 287_000_000,
    "tag_filtering": 136_000,
    "cl_tagger_v2_01a": 2_230_000_000,
    "cl_tagger_1_02": 1_430_000_000,
    "cl_tagger_1_01": 1_430_000_000,
    "anime_classification": MOBILENET_BYTES,
    "anime_rating": MOBILENET_BYTES,
    "monochrome_detect": MOBILENET_BYTES,
    "bangumi_char_type": MOBILENET_BYTES,
    "ccip-caformer-24-randaug-pruned": 150_000_000,
    "ccip-caformer-6-randaug-pruned_fp32": 150_000_000,
    "ccip-caformer-5_fp32": 150_000_000,
    "isnetis": 176_000_000,
    "ch_PP-OCRv4_det": 4_745_517,
    "HGSR-MHR-anime-aug_X4_320": 160_000_000,
    "RealESRGAN_x4plus_anime_6B": 17_900_000,
    "blip2-opt-2.7b": 15_000_000_000,
}


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model: its path in the repository, its local name, and whether it is optional.

    `sha256` pins the bytes; if empty, the hash stated by the hub is checked and recorded. `repository`: if it differs
    from the model's.
    """

    remote: str
    local: str
    optional: bool = False
    sha256: str = ""
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the catalogue. `name` is the folder below the models folder; `family` its adapter in the registry.

    Without `files`, all safe files at the top level of the repository belong to the model.
    """

    name: str
    task: str
    family: str
    repository: str
    files: tuple[File, ...]
    title: str = ""
    revision: str = "main"
    notes: str = ""
    options: dict[str, Any] = field(default_factory=dict)  # goes into koma.json for the adapter

    @property
    def source(self) -> str:
        """The URL of the model's page."""
        return f"https://huggingface.co/{self.repository}"

    @property
    def licence(self) -> str:
        """The licence that its repository states; empty if none is known."""
        return LICENCES.get(self.repository, "")

    @property
    def size_bytes(self) -> int:
        """About how much is downloaded; 0: unknown until the hub states it."""
        if self.family in ("yolo_faces", "yolo_boxes"):
            return YOLO_BYTES[self.name[-1]]
        return SIZES.get(self.name, 0)

    @property
    def recommended(self) -> bool:
        """Whether the model is the default choice for its task."""
        return self.name in RECOMMENDED


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A captioner served over the network instead of being installed; for information only."""

    name: str
    size: str
    about: str


def _same(*names: str, folder: str = "") -> tuple[File, ...]:
    prefix = f"{folder}/" if folder else ""
    return tuple(File(f"{prefix}{name}", name) for name in names)


def _wd() -> list[Model]:
    names = [f"wd-v1-4-{kind}-tagger-v2" for kind in ("swinv2", "convnext", "convnextv2", "vit", "moat")]
    names += [f"wd-{kind}-tagger-v3" for kind in ("swinv2", "convnext", "vit", "vit-large", "eva02-large")]
    v3_note = "10,861 tags (8,106 general, 2,751 characters, 4 ratings). Thresholds 0.35 general, 0.85 character."
    notes = {
        "wd-swinv2-tagger-v3": v3_note,
        "wd-eva02-large-tagger-v3": f"{v3_note} 315 M parameters; the bare backbone 1.8 pictures/s on an i9 (timm).",
    }
    return [
        Model(
            name, "tags", "wd", f"SmilingWolf/{name}", _same("model.onnx", "selected_tags.csv"),
            title=_wd_title(name),
            notes=notes.get(name, v3_note if name.endswith("v3") else "The first generation of WD taggers."),
        )
        for name in names
    ]  # fmt: skip


def _wd_title(name: str) -> str:
    kinds = {
        "swinv2": "SwinV2", "convnext": "ConvNeXt", "convnextv2": "ConvNeXt V2", "vit": "ViT", "moat": "MOAT",
        "vit-large": "ViT Large", "eva02-large": "EVA02 Large",
    }  # fmt: skip
    kind = name.removeprefix("wd-").removeprefix("v1-4-").partition("-tagger")[0]
    return f"WD {'1.4' if '-v1-4-' in name else 'v3'} {kinds[kind]}"


def _other_taggers() -> list[Model]:
    helpers = "deepghs/imgutils-models"
    pixai = ("model.onnx", "selected_tags.csv", "preprocess.json", "thresholds.csv")
    models = [
        Model(
            "pixai-tagger-v0.9", "tags", "pixai", "deepghs/pixai-tagger-v0.9-onnx", _same(*pixai),
            title="PixAI tagger 0.9",
            notes="About 13,500 tags, data to January 2025; strong on recent characters, tells their series.",
        ),
        Model(
            "deepdanbooru", "tags", "deepdanbooru", helpers,
            (
                File("deepdanbooru/deepdanbooru.onnx", "model.onnx"),
                File("deepdanbooru/deepdanbooru_tags.csv", "tags.csv"),
            ),
            title="DeepDanbooru", notes="Older; 512 px, threshold 0.5.",
        ),
        Model(
            "ml-danbooru", "tags", "mldanbooru", "deepghs/ml-danbooru-onnx",
            (
                File("ml_caformer_m36_dec-5-97527.onnx", "model.onnx"),
                File("mldanbooru/mldanbooru_tags.csv", "tags.csv", repository=helpers),
            ),
            title="ML-Danbooru (CAFormer M36)", notes="General tags only; threshold 0.7.",
        ),
    ]  # fmt: skip
    models.append(
        Model(
            "tag_filtering", "tags", LISTS, "datasets/alea31415/tag_filtering",
            _same("overlap_tags_simplified.json", "blacklist_tags.txt"), title="Lists for filtering tags",
            notes="No model: lists of implied and of unwanted tags. Used by the Drop settings of the stage Tag.",
        )
    )  # fmt: skip
    models.append(
        Model(
            "cl_tagger_v2_01a", "tags", "cl_tagger_2", "cella110n/cl_tagger_v2",
            _same("model.onnx", "model.onnx.data", "model_vocabulary.json", folder="v2_01a"),
            title="CL tagger 2.01a",
            notes="Its licence forbids passing it on: accept the terms on its page and set KOMA_HUB_TOKEN.",
        )
    )  # fmt: skip
    return models + [
        Model(
            f"cl_tagger_{version}", "tags", "cl_tagger", "cella110n/cl_tagger",
            _same("model.onnx", "tag_mapping.json", folder=f"cl_tagger_{version}"),
            title=f"CL tagger {version.replace('_', '.')}",
            notes="More than 40,000 tags, also quality, meta and cosplay. The author does not document its input; "
            "Koma prepares pictures as other public programs do.",
        )
        for version in ("1_02", "1_01")
    ]  # fmt: skip


# Detectors: repository, names, what it detects, default confidence and overlap.
YOLO: tuple[tuple[str, tuple[str, ...], str, float, float], ...] = (
    ("anime_face_detection", tuple(f"face_detect_{v}_{s}" for v in ("v1.4", "v1.3", "v1", "v0") for s in "sn"),
     "faces", 0.25, 0.7),
    ("anime_head_detection", ("head_detect_v2.0_s",), "heads", 0.4, 0.7),
    ("anime_head_detection", ("head_detect_v0_s", "head_detect_v0_n"), "heads", 0.3, 0.7),
    ("anime_person_detection", tuple(f"person_detect_{v}_{s}" for v in ("v1.1", "v1", "v0") for s in "mnsx"),
     "persons", 0.3, 0.5),
    ("anime_halfbody_detection", ("halfbody_detect_v1.0_s", "halfbody_detect_v1.0_n"), "half bodies", 0.5, 0.7),
    ("anime_hand_detection", ("hand_detect_v1.0_s", "hand_detect_v1.0_n"), "hands", 0.35, 0.7),
    ("anime_eye_detection", ("eye_detect_v1.0_s", "eye_detect_v1.0_n"), "eyes", 0.3, 0.3),
    ("anime_censor_detection", ("censor_detect_v1.0_s", "censor_detect_v1.0_n"), "censored areas", 0.3, 0.7),
)  # fmt: skip


def _yolo() -> list[Model]:
    models = []
    for repository, names, what, confidence, overlap in YOLO:
        for name in names:
            faces = what == "faces"
            files = (
                File(f"{name}/model.onnx", "model.onnx"),
                File(f"{name}/model_type.json", "model_type.json", optional=True),
            )
            models.append(
                Model(
                    name, "faces" if faces else "boxes", "yolo_faces" if faces else "yolo_boxes",
                    f"deepghs/{repository}", files, title=name.replace("_", " "),
                    notes=f"Finds {what}; confidence {confidence}, overlap {overlap}. Sizes n, s, m, x by cost.",
                    options={"confidence": confidence, "overlap": overlap},
                )
            )  # fmt: skip
    return models


def _classifiers() -> list[Model]:
    rows = (
        ("anime_classification", "mobilenetv3_v1.5_dist", "class", "Kind of picture",
         "3d, bangumi, comic, illustration, not_painting."),
        ("anime_rating", "mobilenetv3_v1_pruned_ls0.1", "rating", "Rating", "safe, r15, r18."),
        ("monochrome_detect", "mobilenetv3_large_100_dist_safe2", "monochrome", "Monochrome", "Drawn without colour."),
        ("bangumi_char_type", "mobilenetv3_v0_dist", "character_type", "Character type",
         "vision, imagery, halfbody, face: how detailed a frame shows its character."),
    )  # fmt: skip
    models = []
    for repository, model, prefix, title, notes in rows:
        files = (
            File(f"{model}/model.onnx", "model.onnx"),
            File(f"{model}/meta.json", "meta.json"),
            File(f"{model}/preprocess.json", "preprocess.json", optional=True),
        )
        models.append(
            Model(
                repository, "class", "classifier", f"deepghs/{repository}", files,
                title=f"{title} ({model})", notes=notes, options={"prefix": prefix},
            )
        )  # fmt: skip
    model = "swinv2pv3_v0_448_ls0.2_x"
    models.append(
        Model(
            "anime_aesthetic", "class", "aesthetic", "deepghs/anime_aesthetic",
            _same("model.onnx", "meta.json", "samples.npz", folder=model), title=f"Aesthetic ({model})",
            notes="Seven classes from worst to masterpiece by percentile.", options={"prefix": "aesthetic"},
        )
    )  # fmt: skip
    return models


def _others() -> list[Model]:
    ccip = ("ccip-caformer-24-randaug-pruned", "ccip-caformer-6-randaug-pruned_fp32", "ccip-caformer-5_fp32")
    ccip_files = ("model_feat.onnx", "model_metrics.onnx", "metrics.json", "cluster.json")
    models = [
        Model(
            name, "embedding", "ccip", "deepghs/ccip_onnx", _same(*ccip_files, folder=name), title=name,
            notes="For pictures of one character; separates outfits poorly.",
        )
        for name in ccip
    ]  # fmt: skip
    models += [
        Model(
            "isnetis", "mask", "isnet", "skytnt/anime-seg", (File("isnetis.onnx", "model.onnx"),),
            title="ISNet for anime", notes="Cuts characters out; 1024 px.",
        ),
        Model(
            "ch_PP-OCRv4_det", "text", "paddle_text", "deepghs/paddleocr",
            (File("det/ch_PP-OCRv4_det/model.onnx", "model.onnx"),),
            title="PaddleOCR text finder v4",
            notes="Finds subtitles and credits; does not read them. PaddleOCR itself is under Apache-2.0.",
        ),
        Model(
            "HGSR-MHR-anime-aug_X4_320", "upscale", "cdc", "deepghs/cdc_anime_onnx",
            (File("HGSR-MHR-anime-aug_X4_320.onnx", "model.onnx"),),
            title="CDC anime x4", notes="Best and slowest: about 70 s for 1024x1024 px on an RTX 2060.",
        ),
        Model(
            "RealESRGAN_x4plus_anime_6B", "upscale", "real_esrgan", "deepghs/imgutils-models",
            (File("real_esrgan/RealESRGAN_x4plus_anime_6B.onnx", "model.onnx"),),
            title="Real-ESRGAN x4 anime 6B", notes="Enlarges pictures four times.",
        ),
        Model(
            "blip2-opt-2.7b", "caption", "blip2", "Salesforce/blip2-opt-2.7b", (), title="BLIP-2 (OPT 2.7B)",
            notes="For reproducing older sets only; needs torch and transformers. All safetensors and JSON files.",
        ),
    ]  # fmt: skip
    return models


ENDPOINTS = (
    Endpoint("JoyCaption Beta One", "8 B, about 17 GB", "Prose, prompts or booru lists; vLLM recommended."),
    Endpoint("ToriiGate 0.4 and 0.5", "2 B or 7 B", "Takes booru tags and character names as grounding."),
    Endpoint("Qwen2.5-VL, Qwen3-VL", "2 B to 72 B", "Follows any prompt; the general choice for a local model."),
    Endpoint("Florence-2", "0.23 or 0.77 B", "Small and fast; weak on anime names."),
)

CATALOGUE: dict[str, Model] = {
    model.name: model for model in (*_yolo(), *_wd(), *_other_taggers(), *_classifiers(), *_others())
}


def get(name: str) -> Model:
    """Return the model of this name. Raises BadInput with similar names if there is none."""
    if name in CATALOGUE:
        return CATALOGUE[name]
    similar_names = [known_name for known_name in CATALOGUE if name and name.lower() in known_name.lower()][:5]
    hint = f" Did you mean {', '.join(similar_names)}?" if similar_names else " `models list` shows all names."
    raise BadInput(f"There is no model {name[:80]!r} in the catalogue.{hint}")
