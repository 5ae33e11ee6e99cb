"""Teachers that are made from trained models: which models may be one, and that no circle forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymatch.errors import ConfigError

if TYPE_CHECKING:
    from polymatch.settings.config import Config


def check_teachers(config: Config) -> None:
    """Check every model that a teacher is made from; all names must be known already.

    Raises:
        ConfigError: such a model is not trained by sampling, or it needs, perhaps through others,
            the very teacher that is made from it.
    """
    for name, teacher in config.teachers.items():
        _check_sampled(config, f"teachers.{name}.model", teacher.model)
    _check_sampled(config, "teacher_comparison.model", config.teacher_comparison.model)
    for name in config.teachers:
        _check_circle(config, name)


def _check_sampled(config: Config, where: str, model: str | None) -> None:
    if model is not None and not config.gives_gaussians(model):
        sampled = [name for name in config.models if config.gives_gaussians(name)]
        raise ConfigError(
            f"{where}: {model!r} is not trained with loss 'sampled'; "
            f"allowed: {', '.join(sampled) or 'no model of this config'}"
        )


def _check_circle(config: Config, start: str) -> None:
    seen, way, teacher = {start}, f"teacher {start!r}", start
    while (run := config.teacher_run(teacher)) is not None:
        needed = config.surrogate_teacher(run.model)
        if needed is None:
            return
        way += f" needs model {run.model!r}, which needs teacher {needed!r}"
        if needed in seen:
            raise ConfigError(
                f"teachers.{start}.model: this is a circle: {way}; take a model that needs no "
                "surrogate, or give it another teacher"
            )
        seen.add(needed)
        teacher = needed
