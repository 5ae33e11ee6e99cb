"""What each rule runs, and in which environment, read from the rules' own text."""

import re
from pathlib import Path
from typing import NamedTuple

from polymatch.provenance import LIBRARY, modules_in
from polymatch.settings.offered import encoder_modules, offered
from polymatch.sources import brings_features, known_sources

ROOT = Path(__file__).parents[2]


_RULE = r"^ *(?:rule|checkpoint) (\w+):\n((?:(?! *(?:rule|checkpoint) ).*\n?)*)"


class Job(NamedTuple):
    """One way to run a rule: in ``envs/<environment>.yaml``, with modules loaded by name."""

    rule: str
    environment: str
    script: str
    modules: tuple[str, ...] = ()

    @property
    def files(self):
        """Arguments of :func:`polymatch.provenance.imported_files`."""
        return (ROOT / "workflow/scripts" / self.script, *self.modules)


def rule_texts():
    """Rule -> its text, of every rule that runs something."""
    found = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        for name, body in re.findall(_RULE, text, re.M):
            assert name not in found, name
            found[name] = body
    return found


def jobs():
    """Every way to run every rule."""
    return [job for rule, text in rule_texts().items() for job in _jobs(rule, text)]


def _jobs(rule, text):
    (script,) = set(re.findall(r'script=script\("(\w+\.py)"\)', text))
    (hashed,) = re.findall(r"^ *code=(.*(?:\n {12}.*)*)", text, re.M)
    environment = re.search(r"conda:\n *(\w+)\((.*)\)\n", text)
    named, given = environment.groups()
    if named == "encoder_environment":
        # Without an encoder of its own the rule may still run, in a data set that brings features.
        plain = [Job(rule, "encoder", script)] if f'code("{script}")' in hashed else []
        return plain + [
            Job(rule, offered(name).environment, script, (f"polymatch.encoders.{name}",))
            for name in encoder_modules()
            if f'"{given.strip(chr(34))}"' != '"captions"' or offered(name).reads_captions
        ]
    environments = re.findall(r'"(\w+)"', given)
    if "source_code" in hashed:
        # Of two environments the first is for data sets that bring their features.
        return [
            Job(rule, environments[0 if brings_features(name) else -1], script, (_source(name),))
            for name in known_sources()
            if len(environments) == 2 or brings_features(name)
        ]
    (only,) = environments
    return [Job(rule, only, script, tuple(_loaded(hashed)))]


def _loaded(hashed):
    """Modules that a rule may load by name, by how it asks for its code's hash."""
    yield from re.findall(r'"(polymatch\.[\w.]+)"', hashed)
    if re.search("family_code|study_code|teacher_code", hashed):
        yield from (_name(path) for room in ("models", "losses") for path in _files(room))
    if "evaluation_code" in hashed:
        measures = modules_in("evaluation", "measures")
        yield from (f"polymatch.evaluation.measures.{name}" for name in measures)


def _source(name):
    return f"polymatch.sources.{name}"


def _files(room):
    return sorted((LIBRARY / room).rglob("*.py"))


def _name(path):
    parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")
