"""Sections of the stages before and after the models: data to alignment, teachers, evaluation."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from polymatch.settings.bigfile import BigfileSettings
from polymatch.settings.coco import CocoSettings
from polymatch.settings.custom import CustomSettings
from polymatch.settings.judged import JudgedSettings
from polymatch.settings.msrvtt import MsrvttSettings
from polymatch.settings.precomp import PrecompSettings
from polymatch.settings.section import Number, Section


class FolderSettings(Section):
    """Folders of embeddings made elsewhere, one for each split (source `embeddings`)."""

    train: str = Field(min_length=1, description="folder of train; relative to `data.root`")
    val: str | None = Field(
        None, min_length=1, description="folder of val; without it `data.val_share` of train is val"
    )
    test: str = Field(min_length=1, description="folder of test; another one than that of train")


class PairSettings(Section):
    """Pre-encoded pairs, a row each, in files called by names (source `encoded_pairs`)."""

    train: str = Field(
        "train2017",
        min_length=1,
        description="name of train's files: `NAME_image_embeddings.pt`, `NAME_text_embeddings.pt` "
        "and `NAME_metadata.json`",
    )
    val: str | None = Field(
        None,
        min_length=1,
        description="name of val's files; without it `data.val_share` of train's images is val",
    )
    test: str | None = Field(
        None,
        min_length=1,
        description="name of test's files; without it `test_share` of train's images is test",
    )
    test_share: Number = Field(
        0.2, gt=0, lt=1, description="share of train's images that is test where it has no files"
    )
    draw: Literal["hash", "published"] = Field(
        "hash",
        description="which images that are: those whose ids hash lowest, or the ones that the "
        "published code draws",
    )


class DataSettings(Section):
    """Which clips and captions."""

    name: str = Field(
        "emoji", pattern=r"^[A-Za-z0-9_-]+$", description="name of the data set in paths and tables"
    )
    source: str = Field("emoji", description="module of `polymatch.sources` that reads it")
    root: str = Field("resources/emoji", description="folder that holds the files")
    folders: FolderSettings | None = Field(
        None, description="folders of embeddings made elsewhere (source `embeddings`)"
    )
    pairs: PairSettings | None = Field(
        None, description="files of pre-encoded pairs (source `encoded_pairs`)"
    )
    precomp: PrecompSettings | None = Field(
        None, description="files of SCAN's precomputed regions (source `scan_precomp`)"
    )
    bigfile: BigfileSettings | None = Field(
        None, description="BigFile frames and caption files (source `bigfile`)"
    )
    msrvtt: MsrvttSettings | None = Field(
        None, description="split and protocol of MSR-VTT's clips (source `msrvtt`)"
    )
    coco: CocoSettings | None = Field(None, description="split of COCO's pictures (source `coco`)")
    custom: CustomSettings | None = Field(
        None, description="files and captions of one's own (source `custom`)"
    )
    frames: int = Field(
        16, ge=1, description="frames that are read of a video, spread evenly over its length"
    )
    val_share: Number = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of train's items that is val where the data set has no val of its own: "
        "those whose ids hash lowest, always the same",
    )
    train_captions: list[str] = Field(
        default=["name"], min_length=1, description="kinds of caption used for training"
    )
    test_captions: list[str] = Field(
        default=["name"],
        min_length=1,
        description="kinds of caption used for validation and for the tables",
    )
    on_bad_item: Literal["stop", "skip"] = Field(
        "stop", description="stop at a bad item, or leave it out and list it in `problems.csv`"
    )


class AlignmentSettings(Section):
    """The shared space that every head starts from; chosen on the validation split."""

    method: Literal["cca", "identity"] = Field(
        "cca", description="regularised CCA, or nothing for encoders that share a space already"
    )
    width: list[Annotated[int, Field(ge=1)]] = Field(
        default=[64, 128, 256], min_length=1, description="widths to choose from (cca)"
    )
    shrinkage: list[Annotated[Number, Field(gt=0)]] = Field(
        default=[0.1, 0.3, 1.0, 3.0],
        min_length=1,
        description="shares of the mean eigenvalue added to both covariances, to choose from (cca)",
    )
    root: list[Annotated[Number, Field(gt=0, le=1)]] = Field(
        default=[0.5, 1.0],
        min_length=1,
        description="powers of item features to choose from: 0.5 is a signed square root (cca)",
    )
    power: Number = Field(
        1.0, ge=0, description="power of its correlation that weights a direction (cca)"
    )


class TeacherSettings(Section):
    """(Moments, match probability) pairs that a surrogate is fitted to."""

    source: Literal["fixed", "pcme", "domain"] = Field(
        description="one log-variance on the embeddings, a trained model's Gaussians on train, or "
        "the whole range a head can reach"
    )
    estimator: Literal["monte_carlo", "gauss_hermite", "gamma", "exact"] = Field(
        "monte_carlo", description="how the probability is computed"
    )
    n_pairs: int = Field(300_000, ge=1, description="pairs of item and caption")
    K: int = Field(10, ge=1, description="samples a side (monte_carlo): K x K distances a pair")
    a: Number = Field(0.1, gt=0, description="scale: p = E[sigmoid(b - a * distance^2)]")
    b: Number = Field(0.0, description="shift")
    log_variance: Number = Field(-5.0, description="log-variance of every embedding (fixed)")
    min_logvar: Number = Field(
        -5.0, description="lowest log-variance that a head can reach (domain)"
    )
    max_logvar: Number = Field(2.0, description="highest log-variance that it can reach (domain)")
    model: str | None = Field(
        None, description="entry of `models`, trained with loss `sampled`, that is taken (pcme)"
    )
    run_seed: int | None = Field(
        None, ge=0, description="which seed of it; the first of `seeds` if not given (pcme)"
    )
    seed: int = Field(0, ge=0, description="seed of pairs and samples")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_logvar >= self.max_logvar:
            raise ValueError(
                f"min_logvar {self.min_logvar} must be below max_logvar {self.max_logvar}"
            )
        if self.source == "pcme" and self.model is None:
            raise ValueError("source 'pcme' needs a `model`: an entry trained with loss 'sampled'")
        for key in ("model", "run_seed"):
            if self.source != "pcme" and getattr(self, key) is not None:
                raise ValueError(f"`{key}` is for source 'pcme', not for {self.source!r}")
        return self


class TeacherComparisonSettings(Section):
    """The table of teachers: three sources of pairs by four estimators of the probability."""

    n_pairs: int = Field(20_000, ge=100, description="pairs of each teacher")
    K: int = Field(10, ge=1, description="samples a side of `monte_carlo`")
    a: Number = Field(0.1, gt=0, description="scale: p = E[sigmoid(b - a * distance^2)]")
    b: Number = Field(0.0, description="shift")
    degree: int = Field(6, ge=1, le=10, description="degree of the polynomial fitted to each")
    alpha: Number = Field(1e-3, ge=0, description="ridge penalty of these fits")
    model: str | None = Field(
        None,
        description="model of the source `pcme`, an entry trained with loss `sampled`; the first "
        "such entry if not given, and no such source if there is none",
    )
    test_pairs: int = Field(
        1000, ge=10, description="test pairs of each trained run that are computed exactly"
    )
    seed: int = Field(0, ge=0, description="seed of pairs and samples")


class EvaluationSettings(JudgedSettings):
    """How similarities become figures."""

    k: list[Annotated[int, Field(ge=1)]] = Field(
        default=[1, 5, 10],
        description="recalls R@k, ascending; 1, 5 and 10, whose sum is the R-sum, and any more",
    )
    metrics: list[str] = Field(
        default=[],
        description="further metrics, modules of `polymatch.evaluation.measures`; each adds its "
        "columns `t2v_NAME` and `v2t_NAME`",
    )
    resamples: int = Field(1000, ge=100, description="bootstrap resamples over items")
    permutations: int = Field(10_000, ge=100, description="sign flips of a paired test")
    seed: int = Field(0, ge=0, description="seed of everything that is drawn here")
    certificate_pairs: int = Field(
        2000, ge=10, description="test pairs on which a surrogate meets the exact probability"
    )
    certificate_queries: int = Field(
        20,
        ge=1,
        description="test captions, and as many items, that are ranked by the exact probability "
        "too, each against its whole gallery",
    )

    @field_validator("k")
    @classmethod
    def _of_the_tables(cls, k: list[int]) -> list[int]:
        if k != sorted(set(k)) or not {1, 5, 10} <= set(k):
            raise ValueError("it must ascend and hold 1, 5 and 10, which every table has")
        return k

    @field_validator("metrics")
    @classmethod
    def _own_columns(cls, metrics: list[str]) -> list[str]:
        if len(set(metrics)) < len(metrics):
            raise ValueError("a metric is named twice")
        for name in metrics:
            if re.fullmatch(r"r\d+|medr|meanr|map|asp|(pmrp|eccv|cxc)(_.*)?|.*_(lo|hi|sd)", name):
                raise ValueError(f"every table has a column called as {name!r} would be")
        return metrics


class BenchmarkSettings(Section):
    """How latency and memory are measured: a batch of queries against the test gallery."""

    warmup: int = Field(2, ge=0, description="runs that are not counted")
    runs: int = Field(20, ge=3, description="runs that are counted")
    threads: int = Field(2, ge=1, description="threads of the measured process")
    gallery: list[Annotated[int, Field(ge=1)]] = Field(
        default=[1000, 10_000, 100_000],
        description="sizes of larger galleries, ascending: the encoded test items over and over",
    )
    gallery_batch: int = Field(
        100, ge=1, description="queries of the batch that larger galleries answer"
    )
    gallery_seconds: Number = Field(
        0.5,
        gt=0,
        description="time after which no more runs are counted for one of these sizes, once there "
        "are six (or `runs`, if fewer)",
    )
    longest: Number = Field(
        1.0,
        gt=0,
        description="seconds that one run may take: a gallery that would take longer, by what the "
        "one before it took, is not measured; and after which no more runs of the test split are "
        "counted, once there are six",
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(
            size >= following
            for size, following in zip(self.gallery, self.gallery[1:], strict=False)
        ):
            raise ValueError(
                f"gallery {self.gallery} must ascend: memory is the peak so far, and a smaller "
                "gallery after a larger one would show the larger one's"
            )
        return self


class DeploymentSettings(Section):
    """The analog simulation: what a model keeps of its R@1 on arrays of phase-change memory."""

    models: list[str] | None = Field(
        None,
        description="models that are exported and simulated for the tables; all that start from "
        "vectors if not given, and any other of those when asked for",
    )
    gallery: bool = Field(
        True,
        description="whether the encoded items are programmed into arrays too, as they must be for "
        "a gallery of any size; false leaves that product digital and exact",
    )
    dac_bits: int = Field(8, ge=2, le=16, description="bits of each array's input")
    adc_bits: list[Annotated[int, Field(ge=2, le=16)]] = Field(
        default=[4, 5, 6, 7, 8], min_length=1, description="bits of each array's output, to compare"
    )
    at_bits: int = Field(
        8, ge=2, le=16, description="one of `adc_bits`: where noise, drift and the verdict stand"
    )
    weights: Literal["pcm", "exact"] = Field(
        "pcm",
        description="what the arrays hold where `adc_bits` are compared, and so for the verdict: "
        "weights as phase-change memory takes them, or exact ones (converters alone)",
    )
    weight_noise: list[Annotated[Number, Field(ge=0)]] = Field(
        default=[0.0, 0.01, 0.02, 0.05, 0.1],
        description="standard deviations of Gaussian weight noise to compare, as shares of the "
        "largest weight of an array",
    )
    drift_seconds: list[Annotated[Number, Field(ge=0)]] = Field(
        default=[25.0, 3600.0, 86400.0, 2592000.0, 31536000.0],
        description="seconds since programming to compare: 25 s, an hour, a day, 30 days, a year",
    )
    programming_seeds: int = Field(
        10, ge=2, description="times that every array is programmed; intervals are over these"
    )
    seed: int = Field(0, ge=0, description="first of the programming seeds")
    runs: int = Field(
        1, ge=1, description="trained runs of a model, by their seeds, that are simulated"
    )
    retain: Number = Field(
        0.99, gt=0, le=1, description="share of the digital R@1 that a deployable model keeps"
    )

    @model_validator(mode="after")
    def _compared(self) -> Self:
        if self.at_bits not in self.adc_bits:
            raise ValueError(f"at_bits {self.at_bits} is not one of adc_bits {self.adc_bits}")
        return self
