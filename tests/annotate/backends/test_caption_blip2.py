"""BLIP-2 on a tiny model with random weights that the test builds; and what is said where its packages are missing."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.backends.contract import CaptionAsk, Captioner
from annotate.backends.model_files import registry
from ingest.errors import BadInput

THERE = find_spec("torch") is not None and find_spec("transformers") is not None
WORDS = ["<pad>", "<s>", "</s>", "<unk>", "<image>", *(f"word{number}" for number in range(27))]


def ask(seed: int) -> CaptionAsk:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    return CaptionAsk("a prompt that is not used", out.getvalue())


def carded(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / registry.CARD).write_text(json.dumps({"family": "blip2", "licence": "MIT", "revision": "r1"}))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model `tiny`: two layers of 16 numbers, 32 words; the bias of its head speaks in words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        Blip2QFormerConfig,
        Blip2VisionConfig,
        BlipImageProcessor,
        OPTConfig,
        PreTrainedTokenizerFast,
    )  # fmt: skip

    root = tmp_path_factory.mktemp("models")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Blip2Config(
        vision_config=Blip2VisionConfig(**small, intermediate_size=16, image_size=28, patch_size=14).to_dict(),
        qformer_config=Blip2QFormerConfig(
            **small, intermediate_size=16, encoder_hidden_size=16, vocab_size=32
        ).to_dict(),
        text_config=OPTConfig(
            **small, ffn_dim=16, vocab_size=32, max_position_embeddings=64, word_embed_proj_dim=16, pad_token_id=0,
            bos_token_id=1, eos_token_id=2,
        ).to_dict(),
        num_query_tokens=4,
        image_token_index=4,
    )  # fmt: skip
    torch.manual_seed(1)
    model = Blip2ForConditionalGeneration(config)
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    with torch.no_grad():
        head = model.language_model.lm_head.weight
        head.copy_(torch.randn(head.shape) * 5)
        head[:5] = 0  # no special tokens: every step says a word
    processor = Blip2Processor(BlipImageProcessor(size={"height": 28, "width": 28}), tokenizer, num_query_tokens=4)
    folder = carded(root / "tiny")
    model.save_pretrained(folder, safe_serialization=True)
    processor.save_pretrained(folder)
    return root


def opened(models: Path, **options: object) -> Captioner:
    model = registry.find("tiny", models, task="caption")
    captioner: Captioner = registry.open_model(model, device="cpu", **options)
    return captioner


@pytest.mark.optional
def test_pictures_get_words_one_line_each_the_same_each_time(models: Path) -> None:
    captioner = opened(models, max_tokens=6)
    assert isinstance(captioner, Captioner)
    asks = [ask(seed) for seed in range(6)]
    answers = captioner.caption(asks)
    assert len(answers) == 6
    assert all(answer.text and not answer.problem for answer in answers)
    assert all(set(answer.text.split()) <= set(WORDS[5:]) and len(answer.text.split()) <= 6 for answer in answers)
    assert captioner.caption(asks) == answers
    assert captioner.caption(asks[4:]) == answers[4:]  # whatever stands beside a picture in its batch


@pytest.mark.optional
def test_the_model_is_known_by_its_weights_and_card(models: Path) -> None:
    info = opened(models).info
    assert (info.task, info.name, info.revision, info.licence, len(info.sha256)) == ("caption", "tiny", "r1", "MIT", 64)


@pytest.mark.optional
def test_a_gpu_that_is_not_there_is_refused_with_a_message(models: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(BadInput, match="torch finds no GPU"):
        registry.open_model(registry.find("tiny", models, task="caption"), device="cuda")


@pytest.mark.optional
def test_pickled_or_damaged_weights_are_not_loaded(models: Path, tmp_path: Path) -> None:
    pickled = carded(tmp_path / "pickled")
    (pickled / "config.json").write_text((models / "tiny" / "config.json").read_text())
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(BadInput, match=r"needs config.json and .safetensors files"):
        registry.open_model(registry.find("pickled", tmp_path, task="caption"))
    (pickled / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not a BLIP-2 model, or damaged"):
        registry.open_model(registry.find("pickled", tmp_path, task="caption"), device="cpu")


@pytest.mark.skipif(THERE, reason="torch and transformers are installed here")
def test_without_its_packages_it_says_how_to_get_them(tmp_path: Path) -> None:
    folder = carded(tmp_path / "tiny")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(BadInput, match=r"pip install -r requirements-blip2\.txt"):
        opened(tmp_path)
