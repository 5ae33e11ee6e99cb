"""Configuration files named on a command line."""

import pytest
import yaml

from polymatch.errors import ConfigError
from polymatch.settings.read import read_config

ONE = {"models": {"aligned": {"family": "aligned"}}, "seeds": [3]}


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_later_file_adds_to_an_earlier_one(tmp_path):
    more = {"models": {"other": {"family": "aligned"}}, "benchmark": {"runs": 5}, "seeds": [4]}
    paths = [written(tmp_path, "a.yaml", ONE), written(tmp_path, "b.yaml", more)]
    config = read_config(paths)
    assert list(config.models) == ["aligned", "other"]
    assert (config.seeds, config.benchmark.runs) == ([4], 5)
    assert read_config(paths[:1]).seeds == [3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a\n", "{path}: holds no keys; a configuration is a mapping"),
        ("", "{path}: holds no keys; a configuration is a mapping"),
        (ONE | {"seds": [1]}, "config: seds: unknown key 'seds'; did you mean 'seeds'? allowed: "),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = written(tmp_path, "c.yaml", content)
    with pytest.raises(ConfigError) as raised:
        read_config([path])
    assert str(raised.value).startswith(message.format(path=path))


def test_files_that_are_no_yaml_or_not_there(tmp_path):
    path = written(tmp_path, "c.yaml", "a: [1\n")
    with pytest.raises(ConfigError) as raised:
        read_config([path])
    message = str(raised.value)
    assert message.startswith(f"{path}: not YAML (") and "\n" not in message
    with pytest.raises(ConfigError) as raised:
        read_config([tmp_path / "none.yaml"])
    assert str(raised.value) == (
        f"{tmp_path}/none.yaml: no such configuration; name it with --configfile"
    )
