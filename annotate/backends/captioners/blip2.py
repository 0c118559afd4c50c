"""BLIP-2 in this process, to reproduce older datasets; torch and transformers are optional and imported late.

Captions are unconditional: no prompt is passed, since those datasets were made without one.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from PIL import Image

from annotate.algorithms.caption_prompts import clean
from annotate.backends.contract import CaptionAsk, CaptionResult, ModelInfo
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime.onnx_session import AUTO, CPU, CUDA
from ingest import outside_json
from ingest.errors import BadInput

# These keys make transformers load classes, kernels or packages named in a configuration.
ASK_FOR_CODE = frozenset({"auto_map", "attn_implementation", "custom_pipelines", "quantization_config"})
BATCH = 4
TOKENS = 50
HOW = "Install them with `pip install -r requirements-blip2.txt`, or choose a captioning server instead."


class Blip2:
    """A Captioner from a folder written by `save_pretrained`: safetensors weights; code in the folder never runs."""

    def __init__(self, installed: Installed, *, device: str = AUTO, max_tokens: int = TOKENS) -> None:
        """Raises BadInput when a package or file is missing, a file is damaged, or CUDA is requested but missing."""
        files = sorted(installed.path.glob("*.safetensors"))
        if not files or not (installed.path / "config.json").is_file():
            raise BadInput(
                f"{installed.path}: a BLIP-2 model needs config.json and .safetensors files. Install it again."
            )
        _check_descriptions(installed)
        self._torch, transformers = _imported("torch"), _imported("transformers")
        on_gpu = device != CPU and bool(self._torch.cuda.is_available())
        if device == CUDA and not on_gpu:
            raise BadInput(
                f"{installed.name} is set to device=cuda, but torch finds no GPU. Choose device=auto or cpu."
            )
        self._where = "cuda" if on_gpu else "cpu"
        self._kind = self._torch.float16 if on_gpu else self._torch.float32
        try:
            self._processor: Any = transformers.Blip2Processor.from_pretrained(installed.path, local_files_only=True)
            model: Any = transformers.Blip2ForConditionalGeneration.from_pretrained(
                installed.path, local_files_only=True, use_safetensors=True, dtype=self._kind
            )
        except Exception as error:  # transformers raises a dozen types, from KeyError to its own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise BadInput(f"{installed.path}: not a BLIP-2 model, or damaged ({reason}). Install it again.") from error
        self._model = model.to(self._where).train(mode=False)
        self._one_at_a_time = threading.Lock()
        self._max_tokens = max_tokens
        self.in_flight = BATCH
        self.broken = ""
        self.device = "GPU (CUDA)" if on_gpu else "CPU"
        listed_files = installed.card.get("files")
        hashes = [
            str(listed_files[file.name]["sha256"])
            if isinstance(listed_files, dict) and file.name in listed_files
            else weights.sha256_of(file)
            for file in files
        ]
        self.info = ModelInfo(
            task="caption",
            name=installed.name,
            revision=str(installed.card.get("revision", "")),
            sha256=hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
            licence=str(installed.card.get("licence", "")),
            settings={"max_tokens": max_tokens},
        )

    def caption(self, asks: Sequence[CaptionAsk]) -> list[CaptionResult]:
        """See the contract. Decoding is greedy, so the same picture gives the same caption."""
        captions: list[CaptionResult] = []
        for start in range(0, len(asks), BATCH):
            pictures = [Image.open(io.BytesIO(ask.jpeg)).convert("RGB") for ask in asks[start : start + BATCH]]
            with self._one_at_a_time, self._torch.inference_mode():
                values = self._processor(images=pictures, return_tensors="pt").to(self._where, self._kind)
                tokens = self._model.generate(**values, max_new_tokens=self._max_tokens, do_sample=False, num_beams=1)
                texts = self._processor.batch_decode(tokens, skip_special_tokens=True)
            for text in texts:
                words, cut = clean(text)
                captions.append(CaptionResult(words, "" if words else "the model returned no text", cut))
        return captions


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0, max_tokens: int = TOKENS) -> Blip2:
    """Open an installed BLIP-2 model; `threads` is ignored, torch chooses its own."""
    return Blip2(installed, device=device, max_tokens=max_tokens)


def _check_descriptions(installed: Installed) -> None:
    """Raise BadInput if a JSON file of the folder makes transformers load or run anything but its own classes."""
    for path in sorted(installed.path.glob("*.json")):
        try:
            parsed = outside_json.read(path)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read as JSON: {error}. Install the model again.") from error
        forbidden = sorted(ASK_FOR_CODE & parsed.keys()) if isinstance(parsed, dict) else []
        if forbidden:
            raise BadInput(f"{path} requests custom code ({', '.join(forbidden)}), which Koma never runs.")


def _imported(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise BadInput(f"BLIP-2 needs torch and transformers, and {package} is not installed. {HOW}") from error
