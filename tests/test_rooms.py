"""The house: a room imports only from the rooms above it, and the library knows no Snakemake."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "workflow/polymatch"
FOUNDATION = ["errors", "files", "device", "syntax", "provenance", "distributed", "whole_batch"]
ROOMS = [
    "settings",
    "data",
    "sources",
    "encoders",
    "evaluation",
    "surrogate",
    "models",
    "losses",
    "training",
    "deployment",
    "search",
    "serving",
    "reporting",
    "commands",
]


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda p: str(p.name))
def test_a_room_imports_only_from_rooms_above_it(path):
    order = FOUNDATION + ROOMS
    own = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
    for name in imported_modules(path):
        root, _, rest = name.partition(".")
        assert root != "snakemake", f"{path} imports snakemake"
        room = rest.partition(".")[0]
        if root == "polymatch" and room in order and own in ROOMS:
            assert order.index(room) <= order.index(own), f"{path}: {own} imports {name}"


def test_every_room_is_listed():
    assert sorted(ROOMS) == sorted(p.parent.name for p in LIBRARY.glob("*/__init__.py"))


@pytest.mark.parametrize(
    "script",
    [
        "fetch_file",
        "prepare",
        "import_features",
        "tag",
        "word_vectors",
        "tokenise",
        "evaluate",
        "score_external",
        "gather_scores",
        "gather_ranks",
        "rank_shard",
        "count_work",
        "summarise",
        "compare",
        "plot_curves",
        "plot_growth",
        "plot_retrieved",
        "plot_ranks",
        "plot_all_ranks",
        "plot_rules",
        "plot_teachers",
        "sweep",
        "plot_sweep",
        "plot_tuning",
    ],
)
def test_stages_without_a_network_do_not_pay_for_torch(script):
    """Importing torch takes seconds, and the tables are made by dozens of short jobs."""
    code = f"import sys; sys.argv = ['x']; import {script}; assert 'torch' not in sys.modules"
    scripts = LIBRARY.parents[1] / "workflow/scripts"
    subprocess.run([sys.executable, "-c", code], cwd=scripts, check=True)
