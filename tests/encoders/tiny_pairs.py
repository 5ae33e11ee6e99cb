"""Further kinds of pairs like CLIP, as small as :mod:`tiny_models`, as folders to load by path."""

from __future__ import annotations

from pathlib import Path

import sentencepiece
from transformers import (
    AlignConfig,
    AlignModel,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessorPil,
    ChineseCLIPModel,
    CLIPImageProcessorPil,
    EfficientNetImageProcessorPil,
    MetaClip2Config,
    MetaClip2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipTokenizer,
)

from .tiny_models import CORPUS, TOWER, bert_tokenizer, clip_tokenizer, drawn, save_all


def tiny_align(folder: Path | str) -> Path:
    """ALIGN: EfficientNet and BERT; pictures are resized to 40 x 40 and cropped to 32 x 32."""
    tokenizer = bert_tokenizer()
    config = AlignConfig(
        text_config={**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": 512},
        vision_config={
            "image_size": 32,
            "width_coefficient": 0.25,
            "depth_coefficient": 0.1,
        },
        projection_dim=80,  # what a quarter of EfficientNet's width gives
    )
    processor = EfficientNetImageProcessorPil(
        size={"height": 40, "width": 40},
        crop_size={"height": 32, "width": 32},
        do_center_crop=True,
        rescale_factor=1 / 127.5,
        rescale_offset=True,
        do_normalize=False,
        include_top=False,
    )
    return save_all(folder, drawn(AlignModel(config), 1), tokenizer, processor)


def tiny_chinese_clip(folder: Path | str) -> Path:
    """Chinese CLIP: a vision transformer and BERT."""
    tokenizer = bert_tokenizer()
    config = ChineseCLIPConfig(
        text_config={**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": 128},
        vision_config={**TOWER, "image_size": 40, "patch_size": 8},
        projection_dim=24,
    )
    processor = ChineseCLIPImageProcessorPil(size={"height": 40, "width": 40}, do_center_crop=False)
    return save_all(folder, drawn(ChineseCLIPModel(config), 2), tokenizer, processor)


def tiny_metaclip2(folder: Path | str) -> Path:
    """Meta CLIP 2; with CLIP's tokeniser in place of XLM-V's, which reads 900,000 pieces."""
    tokenizer = clip_tokenizer()
    config = MetaClip2Config(
        text_config={
            **TOWER,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**TOWER, "image_size": 48, "patch_size": 8},
        projection_dim=24,
    )
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 48, "width": 48}
    )
    return save_all(folder, drawn(MetaClip2Model(config), 3), tokenizer, processor)


def tiny_siglip1(folder: Path | str) -> Path:
    """SigLIP, the first: its tokeniser is SentencePiece's, takes punctuation out, pads with end."""
    spm = Path(folder) / "spiece"
    spm.parent.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.strip(",!") for line in CORPUS] * 4),
        model_prefix=str(spm),
        vocab_size=60,
        pad_id=-1,
        bos_id=-1,
        eos_id=1,
        unk_id=2,
        minloglevel=2,
    )
    (Path(folder) / "spiece.vocab").unlink()
    tokenizer = SiglipTokenizer(f"{spm}.model", model_input_names=["input_ids"])
    config = SiglipConfig(
        text_config={
            **TOWER,
            "vocab_size": 60,
            "max_position_embeddings": 16,
            "projection_size": 32,
            "pad_token_id": 1,
            "eos_token_id": 1,
            "bos_token_id": 1,
        },
        vision_config={**TOWER, "image_size": 42, "patch_size": 6},
    )
    size = {"height": 42, "width": 42}
    return save_all(
        folder, drawn(SiglipModel(config), 4), tokenizer, SiglipImageProcessorPil(size=size)
    )
