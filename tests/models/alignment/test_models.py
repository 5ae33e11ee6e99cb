"""SGRAF of two models, checkpoints of ours, and what is not of a model."""

import pytest
import torch

from polymatch.errors import ConfigError, DataError
from polymatch.models import build_model, load_model, save_model
from polymatch.models.alignment import Model, assemble
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.alignment import AlignmentModelSettings

from .twin import VOCABULARY, F, R, Twin, example

SGRAF = AlignmentModelSettings(family="alignment", module="sgraf", members=["a", "b"])


def trained(module, regions=R, vocabulary=VOCABULARY, seed=0, **changes):
    torch.manual_seed(seed)
    settings = AlignmentModelSettings.model_validate(
        {**Twin(module).settings().model_dump(), **changes}
    )
    return build_model(settings, (regions, F), vocabulary).eval()


@pytest.fixture
def members():
    # Of other sizes: what they share is what they are given.
    return [trained("saf"), trained("sgr", seed=1, embed_dim=6, sim_dim=3, steps=2)]


@torch.inference_mode()
def test_sgraf_is_the_mean_of_its_members(members):
    images, tokens, lengths = example()
    for order in (members, members[::-1]):
        model = assemble(SGRAF, order)
        items, captions = model.encode_items(images), model.encode_captions(tokens)
        expected = sum(m.similarity_from_inputs(images, tokens, lengths) for m in order) / 2
        assert torch.equal(model.similarity(items, captions, "sgraf"), expected)
        assert torch.equal(model.similarity_from_inputs(images, tokens, lengths), expected)
        drawn = model.vectors(items, captions)
        assert [tuple(side.shape) for side in drawn] == [(5, 14), (7, 14)]
        assert model.widths == ((R, F), VOCABULARY) and not model.training


@torch.inference_mode()
def test_a_checkpoint_gives_the_same_scores_back(tmp_path, members):
    images, tokens, lengths = example()
    for name, model in {"one": members[0], "both": assemble(SGRAF, members)}.items():
        save_model(model, tmp_path / name)
        again = load_model(tmp_path / name)
        assert again.widths == model.widths and again.settings == model.settings
        found, expected = (
            m.similarity_from_inputs(images, tokens, lengths) for m in (again, model)
        )
        assert torch.equal(found, expected)


def test_vectors_are_the_global_ones(members):
    images, tokens, _ = example()
    items, captions = members[0].encode_items(images), members[0].encode_captions(tokens)
    first, second = members[0].vectors(items, captions)
    assert first is items.vector and second is captions.vector
    assert torch.allclose(first.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (["saf", "saf"], r"from one saf and one sgr, not from saf and saf; correct its `members`"),
        (["sgr"], r"one saf and one sgr, not from sgr"),
        ([], r"one saf and one sgr, not from nothing"),
    ],
)
def test_sgraf_is_of_one_saf_and_one_sgr(modules, message):
    with pytest.raises(ConfigError, match=message):
        assemble(SGRAF, [trained(module) for module in modules])


def test_no_other_family_is_a_member():
    other = build_model(AlignedSettings(family="aligned"), 4, 4)
    with pytest.raises(ConfigError, match=r"one saf and one sgr, not from saf and aligned"):
        assemble(SGRAF, [trained("saf"), other])


@pytest.mark.parametrize("change", [{"regions": R + 1}, {"vocabulary": 31}])
def test_members_are_of_the_same_inputs(change):
    with pytest.raises(
        ConfigError,
        match=r"its members are of other inputs, 4 regions of width 6 and 30 words \(saf\) and "
        r"[45] regions of width 6 and 3[01] words \(sgr\); train both on one data set",
    ):
        assemble(SGRAF, [trained("saf"), trained("sgr", **change)])


def test_sgraf_without_members_says_so():
    model = Model(SGRAF, (R, F), VOCABULARY)
    with pytest.raises(ConfigError, match=r"no weights of its own; .* saf and sgr with `assemble`"):
        model.encode_items(example()[0])


def test_another_similarity_is_refused(members):
    items, captions = (
        members[0].encode_items(example()[0]),
        members[0].encode_captions(example()[1]),
    )
    with pytest.raises(ConfigError, match=r"'cosine' is not this model's, which is 'saf'"):
        members[0].similarity(items, captions, "cosine")


@pytest.mark.parametrize("shape", [(2, R + 1, F), (2, R, F + 3), (2, F), (R, F)])
def test_other_regions_are_refused(members, shape):
    with pytest.raises(
        DataError, match=rf"items of shape \({', '.join(map(str, shape))}\): the model takes 4 reg"
    ):
        members[0].encode_items(torch.zeros(shape))


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([[1, 2], [3, 30]], r"row 1: token 30 is beyond the model's vocabulary of 30 words \(0 to"),
        ([[1, 2], [-4, 0]], r"row 1: token -4 is beyond"),
        ([[0, 0], [3, 0]], r"row 0: of length 0; it must have from 1 to 2 tokens"),
        ([[1, 1, 0], [3, 0, 4]], r"row 1: token 0, which is padding, before its last word"),
    ],
)
def test_other_captions_are_refused(members, tokens, message):
    with pytest.raises(DataError, match=message):
        members[0].encode_captions(torch.tensor(tokens))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 3], r"caption row 1: of length 3; it must have from 1 to 2 tokens"),
        ([0, 2], r"caption row 0: of length 0"),
        ([1, 2, 2], r"tokens of shape \(2, 2\) with 3 lengths; captions are rows \[M, L\] with a "),
    ],
)
def test_lengths_are_of_the_tokens(members, lengths, message):
    images, tokens = torch.zeros(2, R, F), torch.ones(2, 2, dtype=torch.long)
    with pytest.raises(DataError, match=message):
        members[0].similarity_from_inputs(images, tokens, lengths)
