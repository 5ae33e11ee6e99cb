"""The program: which commands there are, and what it says of mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest

from polymatch.commands import commands, main

LIBRARY = Path(__file__).parents[2] / "workflow"


def test_every_module_is_a_command_with_a_line_about_it(capsys):
    known = commands()
    assert "search" in known and all(known.values())
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, about in known.items():
        assert f"  {name}" in shown and about in shown


def test_a_command_that_is_none(capsys):
    assert main(["serch"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("polymatch: unknown command 'serch'; did you mean 'search'? allowed: ")
    assert main([]) == 2


@pytest.mark.parametrize("name", commands())
def test_help_and_mistakes_do_not_wait_for_torch(name):
    code = (
        "import sys\nfrom polymatch.commands import main\n"
        f"try: main([{name!r}, '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=LIBRARY, check=True, capture_output=True)


def test_python_m_polymatch():
    done = subprocess.run(
        [sys.executable, "-m", "polymatch"], cwd=LIBRARY, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout.startswith("usage: polymatch COMMAND ...")
