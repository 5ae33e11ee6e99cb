"""What is wrong with a configuration, in one line: key, value and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from polymatch.settings.section import Section


def suggest(name: object, known: Iterable[str]) -> str:
    """Say what may stand in the place of ``name``, the likeliest first.

    >>> suggest("pcm", ["aligned", "pcme"])
    "did you mean 'pcme'? allowed: aligned, pcme"
    """
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(known) or 'none is defined'}"


def one_line(error: ValidationError, kind: type[Section]) -> str:
    """Say the first error of ``kind`` as `key: value is wrong; what is allowed`; count the rest."""
    errors = error.errors()
    # A misspelt key often leaves a required one missing: the misspelling is the cause.
    first = min(errors, key=lambda e: e["type"] != "extra_forbidden")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{': '.join(located(first, kind))}{more}"


def located(error: Any, kind: type[Section]) -> tuple[str, str]:
    """Return the dotted key that an error of ``kind`` is at, as a file has it, and what is wrong.

    Of a key too many, or of an unknown tag, the reason says what may stand there.
    """
    steps = _walk(error["loc"], kind)
    shown = ".".join(str(part) for part, _ in steps)
    if error["type"] == "extra_forbidden":
        section = steps[-2][1] if len(steps) > 1 else kind
        return shown, f"unknown key {steps[-1][0]!r}; {suggest(steps[-1][0], fields(section))}"
    if error["type"] == "missing":
        return shown, "is missing and has no default (config/README.md describes it)"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key, known = error["ctx"]["discriminator"].strip("'"), tagged(steps[-1][1])
        if error["type"] == "union_tag_not_found":
            return f"{shown}.{key}", f"is missing; allowed: {', '.join(known)}"
        tag = error["ctx"]["tag"]
        return f"{shown}.{key}", f"unknown {key} {tag!r}; {suggest(tag, known)}"
    return shown, reason(error)


def reason(error: Any) -> str:
    """What pydantic has against one value: `VALUE is not allowed: why`."""
    message = error["msg"].removeprefix("Value error, ")
    value = "" if isinstance(error["input"], Mapping) else f"{error['input']!r} "
    return f"{value}is not allowed: {message[0].lower()}{message[1:]}"


def fields(kind: Any) -> list[str]:
    """The keys of a section; none for anything else."""
    is_section = isinstance(kind, type) and issubclass(kind, Section)
    return list(kind.model_fields) if is_section else []


def annotation(section: Any, key: str) -> Any:
    """The type of a section's key; of one that may be left out, the type that it has if not."""
    kind = section.model_fields[key].annotation
    parts = [part for part in get_args(kind) if part is not NoneType]
    return parts[0] if len(parts) == 1 and NoneType in get_args(kind) else kind


def tagged(kind: Any) -> dict[str, type[Section]]:
    """Tag -> section, for a type that is one of several sections; empty for any other type.

    The tag is what a section gives as the ``Literal`` of a key: a `family`, a `type`.
    """
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) not in (Union, UnionType):
        return {}
    found: dict[str, type[Section]] = {}
    for section in filter(fields, get_args(kind)):
        for field in section.model_fields.values():
            if get_origin(field.annotation) is Literal and field.is_required():
                found |= dict.fromkeys(get_args(field.annotation), section)
                break
    return dict(sorted(found.items()))


def _walk(path: tuple[Any, ...], kind: Any) -> list[tuple[Any, Any]]:
    """Follow an error's path to (key, type) pairs, leaving out what no file has in it.

    pydantic adds ``[key]`` for a bad key, and the tag of a section behind the section's name.
    """
    steps: list[tuple[Any, Any]] = []
    for part in path:
        if part == "[key]":
            continue
        if steps and part in tagged(kind):
            kind = tagged(kind)[part]
            steps[-1] = (steps[-1][0], kind)
            continue
        if part in fields(kind):
            kind = annotation(kind, part)
        elif get_args(kind):
            kind = get_args(kind)[-1]
        steps.append((part, kind))
    return steps
