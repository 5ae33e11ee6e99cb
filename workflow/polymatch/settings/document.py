"""Documentation of the configuration and of studies, made from their types: schemas and tables."""

from __future__ import annotations

import json
from typing import Any

from polymatch.settings.config import config_schema
from polymatch.settings.search_space import tuning_schema

INTRODUCTION = """\
# Configuration

<!-- Written by `make docs` from workflow/polymatch/settings; a test keeps them equal. -->

`config.yaml` is the embedded data set and what `make results` runs. Another file is taken instead
of it, not on top of it, with `snakemake --configfile FILE`; single values with
`--config 'seeds=[0]'`. A file is checked before any job runs: a misspelt key, a wrong type or an
impossible value stops at once with a line that names the key, the value and what is allowed.
Editors that know YAML schemas can use `workflow/schemas/config.schema.json`.

Every entry under `models` is a target of its own, for example
`results/emoji/efficientnet_minilm/runs/pcme/0/mean.metrics.json` (data set, encoder, model, seed,
similarity). An entry with a `grid` is a template that stands for one entry per combination: its
name holds the grid's keys in braces (a dotted key with `_` for `.`), as in

```yaml
models:
  poly_{teacher}_{degree}:
    family: probabilistic
    loss: poly
    similarities: [poly]
    grid:
      teacher: [fixed, domain]
      degree: [3, 4]
```

An entry under `sweeps` tries values of one model's settings. Every combination is an entry too,
named by the model, the keys and the values, but only the sweep's own table has it; a combination
that has the settings of an entry that is there already is that entry. Asked for by name:

```yaml
sweeps:
  rates:                                # snakemake --cores 8 results/sweeps/rates.csv
    model: poly_domain_3
    grid:
      training.lr: [1.0e-4, 1.0e-3]     # poly_domain_3.training.lr_0.0001.variance.weight_0.1, ...
      variance.weight: [0.1, 1.0]
    beside: [aligned]
```

`results/sweeps/rates.best.yaml` holds the combination that is best on val, as an entry that can
stand beside the others: `snakemake TARGET --configfile config/config.yaml FILE`.
"""

STUDIES = """\
# Studies

Every file `tuning/NAME.yaml` is a study: a model entry whose settings are searched. It is a target,
`snakemake --cores 8 results/tuning/NAME/best.yaml`, on the data set and encoder of the
configuration. Editors can use `workflow/schemas/tuning.schema.json`. A key of `space` is a dotted
key of the entry, with choices or a range; with `when` only for some values of keys above it:

```yaml
base: {family: projection, training: {epochs: 50, patience: 5}}
space:
  head.type: {choices: [mlp, attention]}
  head.num_heads: {choices: [4, 8], when: {head.type: [attention]}}
  training.lr: {low: 1.0e-5, high: 1.0e-2, log: true}
trials: 40
```

A trial trains for the study's `epochs`, with its `patience` and `select`; `best.yaml` has those of
`base`, which may be longer. Once a study has begun, only `trials`, `timeout`, `workers`, `seed`,
`sampler` and `stale_seconds` may change; anything else needs another name (`study`).
"""


def schema_text() -> str:
    """The text of ``workflow/schemas/config.schema.json``."""
    return json.dumps(config_schema(), indent=2) + "\n"


def readme_text() -> str:
    """The text of ``config/README.md``: tables for the configuration, and for studies."""
    parts = [INTRODUCTION, *_tables("Top level", config_schema())]
    parts += [STUDIES, *_tables("A study", tuning_schema())]
    return "\n".join(parts)


def tuning_schema_text() -> str:
    """The text of ``workflow/schemas/tuning.schema.json``."""
    return json.dumps(tuning_schema(), indent=2) + "\n"


def _tables(title: str, schema: dict[str, Any]) -> list[str]:
    named = ((f"`{name}`", section) for name, section in schema["$defs"].items())
    return [_table(title, schema), *(_table(name, section) for name, section in named)]


def _table(title: str, section: dict[str, Any]) -> str:
    lines = [f"## {title}", "", section.get("description", "").split("\n\n")[0], ""]
    lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", [])
    for key, rules in section["properties"].items():
        default = "needed" if key in required else f"`{_default(rules)}`"
        meaning = rules.get("description", "")
        lines.append(f"| `{key}` | {_allowed(rules)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(rules: dict[str, Any]) -> str:
    return json.dumps(rules["default"]) if "default" in rules else "as below"


def _allowed(rules: dict[str, Any]) -> str:
    if "$ref" in rules:
        return f"`{rules['$ref'].rsplit('/', 1)[1]}`"
    if "oneOf" in rules or "anyOf" in rules:
        return " or ".join(map(_allowed, rules.get("oneOf") or rules["anyOf"]))
    if "enum" in rules:
        return ", ".join(f"`{value}`" for value in rules["enum"])
    if "const" in rules:
        return f"`{rules['const']}`"
    kind = rules.get("type", "anything")
    if kind == "array":
        return f"list of {_allowed(rules['items'])}" if "items" in rules else "list"
    if kind == "object":
        named: dict[str, Any] = rules.get("patternProperties", {})
        inner: Any = rules.get("additionalProperties") or next(iter(named.values()), {})
        return f"name: {_allowed(inner)}" if isinstance(inner, dict) and inner else "mapping"
    bounds = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    limits = [f"{sign} {rules[key]:g}" for key, sign in bounds.items() if key in rules]
    return " ".join([kind, ", ".join(limits)]).strip()
