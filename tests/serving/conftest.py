"""A small data set with a picture that moves and a clip, its runs, and servers of them."""

import shutil
from contextlib import contextmanager

import pandas as pd
import pytest
import yaml
from starlette.testclient import TestClient

from polymatch.data.tables import read_table, write_table
from polymatch.search.engine import SearchEngine
from polymatch.search.run import TrainedRun
from polymatch.serving.app import create_app
from polymatch.serving.limits import Limits
from polymatch.serving.media import Media
from polymatch.settings.config import load_config
from tests.search.small_runs import CONFIG, EMOJI, TEST, make_runs
from tests.video_examples import write_video


class Place:
    """A checkout's folders: results, the data set's files, and a config file of both.

    Attributes:
        items: ids of the test items; the first is a clip, the last has no file.
    """

    def __init__(self, folder):
        self.folder, self.results, self.root = folder, folder / "results", folder / "files"
        make_runs(self.results)
        path = self.results / "few/manifest.parquet"
        manifest = read_table(path, "manifest")
        (self.root / "images").mkdir(parents=True)
        for name in manifest["path"]:
            shutil.copy(EMOJI / name, self.root / name)
        test = manifest.index[-TEST:]
        self.items = manifest.loc[test, "item_id"].tolist()
        write_video(self.root / "clip.mp4", frames=60)
        manifest.loc[test[0], ["path", "n_frames"]] = ["clip.mp4", 16]
        manifest.loc[test[-1], ["path", "n_frames"]] = [None, pd.NA]
        write_table(manifest, path, "manifest")
        self.manifest = manifest
        raw = CONFIG | {"data": CONFIG["data"] | {"root": str(self.root)}}
        (folder / "config.yaml").write_text(yaml.safe_dump(raw))
        self.config = load_config(raw)
        self.engines = {}

    def engine(self, name, kind=None):
        if (name, kind) not in self.engines:
            run = TrainedRun.open(self.config, name, self.results)
            self.engines[name, kind] = SearchEngine.open(run, kind=kind, device="cpu")
        return self.engines[name, kind]

    def media(self):
        return Media.of(self.root, self.manifest)

    @contextmanager
    def client(self, *names, media=None, host="127.0.0.1:8000", **limits):
        engines = [self.engine(name) for name in names or ("poly", "aligned")]
        network = limits.pop("network", False)
        app = create_app(engines, media or self.media(), Limits(**limits), network=network)
        with TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False) as client:
            yield client


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("serving"))


@pytest.fixture(scope="session")
def client(place):
    with place.client() as client:
        yield client
