"""Models of the real classes, with two layers and random weights, as folders to load by path.

Each has what a checkpoint of its kind has on the hub: config, safetensors, preprocessor, and a
tokeniser of the same class, trained on the spot. The weights are larger than transformers draws
them, so that features differ between inputs as those of a trained network do.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    GemmaTokenizer,
    LlamaTokenizer,
    MistralConfig,
    MistralModel,
    PreTrainedModel,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

CORPUS = [
    "a man is riding a brown horse along the beach",
    "two dogs play with a red ball in the snow",
    "a woman slices tomatoes and talks to the camera",
    "people dance on a stage while a band plays music",
    "an old steam locomotive leaves the station",
    "a cat sleeps on the keyboard of a computer",
    "someone is pouring hot coffee into a white cup",
    "three children build a castle of sand, and laugh!",
]
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def tiny_siglip(folder: Path | str, seed: int = 0) -> Path:
    """SigLIP2 at a fixed resolution: SiglipModel, 48 x 48 in patches of 6, Gemma's tokeniser.

    Features of items are [32] (``frames``, ``pooled``) and [36, 32], of captions [32].
    """
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *BYTES]
    vocabulary, merges = _bpe(
        tokens,
        normalizers.Replace(" ", "▁"),
        pre_tokenizers.Split(" ", "merged_with_previous"),
    )
    tokenizer = GemmaTokenizer(
        vocab=vocabulary,
        merges=merges,
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_input_names=["input_ids"],
        model_max_length=64,
    )
    config = SiglipConfig(
        text_config={
            **TOWER,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 64,
            "projection_size": 32,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "bos_token_id": 2,
        },
        vision_config={**TOWER, "image_size": 48, "patch_size": 6},
    )
    size = {"height": 48, "width": 48}
    return save_all(
        folder,
        drawn(SiglipModel(config), seed),
        tokenizer,
        SiglipImageProcessorPil(size=size, resample=2),
    )


def tiny_clip(folder: Path | str, seed: int = 0) -> Path:
    """CLIP: CLIPModel, 48 x 48 in patches of 8, CLIP's byte-level tokeniser; a space of 24.

    Features of items are [24] (``frames``, ``pooled``) and [36, 32], of captions [24].
    """
    tokenizer = clip_tokenizer()
    config = CLIPConfig(
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
        size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48}
    )
    return save_all(folder, drawn(CLIPModel(config), seed), tokenizer, processor)


def tiny_e5(folder: Path | str, seed: int = 0) -> Path:
    """E5-Mistral: MistralModel with Llama's tokeniser; features of captions are [32]."""
    tokens = ["<unk>", "<s>", "</s>", *BYTES]
    vocabulary, merges = _bpe(tokens, None, pre_tokenizers.Metaspace(split=False))
    tokenizer = LlamaTokenizer(
        vocab=vocabulary, merges=merges, add_bos_token=True, add_eos_token=True, pad_token="</s>"
    )
    config = MistralConfig(
        **TOWER,
        vocab_size=len(vocabulary),
        num_key_value_heads=2,
        max_position_embeddings=512,
        sliding_window=128,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    return save_all(folder, drawn(MistralModel(config), seed), tokenizer)


def tiny_small_e5(folder: Path | str, seed: int = 0) -> Path:
    """The smaller E5: BertModel with WordPieces; features of captions are [32]."""
    tokenizer = bert_tokenizer()
    config = BertConfig(**TOWER, vocab_size=len(tokenizer), max_position_embeddings=128)
    return save_all(folder, drawn(BertModel(config), seed), tokenizer)


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own class over the bytes and the commonest pairs of the corpus."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{a}</w>" for a in letters)]
    vocabulary, merges = _bpe(
        tokens, normalizers.Lowercase(), pre_tokenizers.ByteLevel(add_prefix_space=False), "</w>"
    )
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def bert_tokenizer() -> BertTokenizer:
    """BERT's own class over the corpus's words and letters."""
    words = sorted({word.strip(",!") for line in CORPUS for word in line.split()})
    letters = sorted({letter for word in words for letter in word})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", ",", "!", "query"]
    pieces += words + letters + [f"##{letter}" for letter in letters]
    return BertTokenizer(vocab={piece: i for i, piece in enumerate(dict.fromkeys(pieces))})


def drawn(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """``model`` with weights drawn anew, as large as keeps a signal's size from layer to layer."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                wide = 1.0 if "embedding" in name else weight[0].numel() ** -0.5
                weight.normal_(std=wide, generator=generator)
            elif name.endswith("bias"):
                weight.normal_(std=0.1, generator=generator)
    return model.eval()


def save_all(folder: Path | str, model: PreTrainedModel, *parts: object) -> Path:
    """Save a model and what belongs to it into ``folder``."""
    for part in (model, *parts):
        part.save_pretrained(folder)
    return Path(folder)


def _bpe(
    tokens: list[str],
    normalizer: normalizers.Normalizer | None,
    splitter: pre_tokenizers.PreTokenizer,
    end_of_word: str | None = None,
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Pairs learnt from the corpus, numbered after ``tokens``: vocabulary and merges."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, end_of_word_suffix=end_of_word or ""
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    in_order = [*tokens, *sorted(learnt["vocab"], key=learnt["vocab"].__getitem__)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(in_order))}
    return vocabulary, [(left, right) for left, right in learnt["merges"]]
