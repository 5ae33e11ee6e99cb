"""What in a configuration names something else in it: models, teachers, metrics, trained runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymatch.errors import ConfigError
from polymatch.provenance import modules_in
from polymatch.settings.explain import suggest
from polymatch.settings.external import check_external
from polymatch.settings.starts import check_encoder
from polymatch.settings.teachers import check_teachers
from polymatch.settings.words import check_word_vectors

if TYPE_CHECKING:
    from polymatch.settings.config import Config

# Keys of `data` that bring features -> what these are.
GIVEN = {
    "folders": "embeddings",
    "pairs": "embeddings",
    "precomp": "regions",
    "bigfile": "frames",
}


def check_references(config: Config) -> None:
    """Check every name that stands for another entry, and what is asked of that entry.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    for key, hold in GIVEN.items():
        if getattr(config.data, key) is not None and not config.encoder.given:
            raise ConfigError(
                f"encoder.given: false does not go with `data.{key}`, whose {hold} are "
                "features already; set it to true"
            )
    _check_teachers_named(config)
    _check_models_named(config)
    _check_members(config)
    _check_uses(config)
    check_encoder(config)
    measures = modules_in("evaluation", "measures")
    for metric in config.evaluation.metrics:
        if metric not in measures:
            raise ConfigError(
                f"evaluation.metrics: unknown metric {metric!r}; {suggest(metric, measures)}"
            )
    # Expanded on first use: here, so that what is wrong in a sweep is said before any job.
    _ = config.points, config.rows
    check_teachers(config)
    check_word_vectors(config)
    check_external(config)


def _check_teachers_named(config: Config) -> None:
    for name, entry in config.models.items():
        teacher = getattr(entry, "teacher", None)
        if teacher is not None and teacher not in config.teachers:
            raise ConfigError(
                f"models.{name}.teacher: unknown teacher {teacher!r}; "
                f"{suggest(teacher, config.teachers)}"
            )


def _check_models_named(config: Config) -> None:
    named = {"baseline": config.baseline}
    named |= {f"teachers.{name}.model": t.model for name, t in config.teachers.items() if t.model}
    if config.teacher_comparison.model is not None:
        named["teacher_comparison.model"] = config.teacher_comparison.model
    for section in ("pictures", "deployment", "scoring"):
        listed = getattr(config, section).models or []
        named |= {f"{section}.models.{i}": name for i, name in enumerate(listed)}
    for where, model in named.items():
        if model not in config.models:
            raise ConfigError(f"{where}: unknown model {model!r}; {suggest(model, config.models)}")


def _check_members(config: Config) -> None:
    """Check the trained runs that models are made from."""
    for name, entry in config.entries.items():
        for place, member in enumerate(entry.members_of):
            key = f"members.{place}" if entry.member_family == entry.family else "of"
            where = f"models.{name}.{key}"
            # What only a table has may be made from another row of it.
            known = config.models if name in config.models else config.entries
            if member not in known:
                raise ConfigError(f"{where}: unknown model {member!r}; {suggest(member, known)}")
            part = known[member]
            ready = part.trained or part.published_files
            if part.family != entry.member_family or not ready:
                raise ConfigError(
                    f"{where}: {member!r} is no trained model of family {entry.member_family}, "
                    f"which {name!r} could be made from"
                )


def _check_uses(config: Config) -> None:
    """Check that what is asked of a model is what it can do."""
    for place, name in enumerate(config.scoring.models or []):
        if config.model_entry(name).scored_whole:
            raise ConfigError(
                f"scoring.models.{place}: {name!r} has the similarity `hybrid`, which is scaled "
                "over the whole matrix and cannot be scored in shards; take it out"
            )
    for place, name in enumerate(config.deployment.models or []):
        start = config.model_entry(name).starts_from
        if start in ("regions", "frames"):
            raise ConfigError(
                f"deployment.models.{place}: {name!r} starts from words and {start}, whose numbers "
                "differ from one to the next: that is no graph to export and simulate; take it out"
            )
