"""A study on disk: where its trials are kept, what it is a study of, and whose trials are alive.

Trials are kept in Optuna's journal file by default: lines that are only ever appended under a lock,
so that processes of several machines can share it on a network file system, where SQLite's locks
are often broken. Of Optuna's two locks the one that opens a file with O_EXCL is taken: it is atomic
on NFS from version 3 on, and the file's own time says whether a lock was left behind by a killed
process. The other one, a symbolic link to the journal, is judged by the time of what it points to;
where the second machine mounts the folder elsewhere it points nowhere and is never given up.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from polymatch.data.features import PROVENANCE, FeatureStore
from polymatch.data.splits import SplitReader
from polymatch.errors import ConfigError, DataError
from polymatch.provenance import file_hash, settings_hash
from polymatch.settings.stages import DataSettings
from polymatch.settings.tuning import TuningSettings
from polymatch.training.samplers import pruner_of, sampler_of

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
GRACE_SECONDS = 30
IDENTITY = "identity"


def open_study(
    settings: TuningSettings, name: str, folder: Path, data: Mapping[str, Any]
) -> optuna.Study:
    """Open the study, or begin it where there is none.

    Args:
        name: the study's, where ``settings`` give it no other.
        folder: where the journal is kept if ``settings`` name no storage.
        data: what the trials are trained and scored on, as JSON; a study is of one data set.

    Raises:
        ConfigError: the storage cannot be opened, or the study there is one of something else.
        DataError: the journal is broken.
    """
    name = settings.study or name
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=name,
        storage=open_storage(settings.storage, folder / "journal.log"),
        direction="maximize",
        load_if_exists=True,
        sampler=sampler_of(settings),
        pruner=pruner_of(settings),
    )
    where = settings.storage or str(folder / "journal.log")
    _check_identity(study, identity(settings, data), where)
    return study


def identity(settings: TuningSettings, data: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the value of a trial: all of a study that may not change once it has begun."""
    how_long = {"trials", "timeout", "stale_seconds"}
    free = {"study", "workers", "jobs", "seed", "sampler", "storage", *how_long}
    return {**settings.model_dump(mode="json", exclude=free, exclude_defaults=False), "data": data}


def data_identity(data: DataSettings, splits: SplitReader) -> dict[str, Any]:
    """What a study is told apart by: the data set, its tables, and where its features come from."""
    stores = {"items": splits.item_store, "captions": splits.caption_store}
    features = {side: FeatureStore(path) for side, path in stores.items()}
    return {
        "settings": data.model_dump(mode="json"),
        "tables": settings_hash(splits.manifest.to_csv(), splits.captions.to_csv()),
        **{
            side: {"width": store.dim, **{n: store.attributes.get(n) for n in PROVENANCE}}
            for side, store in features.items()
        },
        **({"tags": [file_hash(path) for path in splits.tags]} if splits.tags else {}),
    }


def open_storage(
    storage: str | None, default: Path, grace_seconds: int = GRACE_SECONDS
) -> BaseStorage:
    """Open a journal file or an SQLite database; ``default`` is the journal's place.

    ``grace_seconds`` is how long a lock is waited for that nobody renews.
    """
    file = Path((storage or str(default)).removeprefix("sqlite:///"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if storage is not None and storage.startswith("sqlite:///"):
            # Workers wait for each other's writes.
            return RDBStorage(storage, engine_kwargs={"connect_args": {"timeout": 60}})
        lock = JournalFileOpenLock(str(file), grace_seconds)
        _mend(file, lock)
        return JournalStorage(JournalFileBackend(str(file), lock))
    except OSError as error:
        raise ConfigError(f"storage: {file} cannot be used ({error.strerror})") from error
    except optuna.exceptions.StorageInternalError as error:
        raise ConfigError(f"storage: {storage} cannot be used ({_reason(error)})") from error


def mark(trial: optuna.Trial) -> None:
    """Write into a trial which process it belongs to: in one entry, which is there or is not."""
    trial.set_user_attr(_OWNER, _this_process())


def fail_interrupted(study: optuna.Study) -> list[int]:
    """Mark the trials failed whose process on this machine is gone; return their numbers.

    Trials of other machines are never touched: whether they are alive cannot be seen from here.
    """
    gone = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        owner = trial.user_attrs.get(_OWNER)
        if owner is not None and owner["host"] == _HOST and not _is_alive(owner):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            gone.append(trial.number)
    return gone


class Watch:
    """Tells which running trials will come to an end, as far as this process can see."""

    def __init__(self, stale_seconds: float) -> None:
        self._stale_seconds = stale_seconds
        self._seen: dict[int, tuple[int, float]] = {}

    def is_alive(self, trial: FrozenTrial) -> bool:
        """Whether a trial is running, and has ended an epoch lately if it is another machine's.

        One that says nobody's name was begun this moment, or by a process that was killed then: it
        is given seconds. Times are taken here: clocks of machines differ.
        """
        if trial.state != TrialState.RUNNING:
            return False
        owner = trial.user_attrs.get(_OWNER)
        if owner is not None and owner["host"] == _HOST:
            return _is_alive(owner)
        patience = self._stale_seconds if owner else min(self._stale_seconds, _UNMARKED_SECONDS)
        epochs, now = len(trial.intermediate_values), time.monotonic()
        if self._seen.get(trial.number, (-1, 0.0))[0] != epochs:
            self._seen[trial.number] = (epochs, now)
        return now - self._seen[trial.number][1] < patience


_HOST = socket.gethostname()
_OWNER = "owner"
_UNMARKED_SECONDS = 15.0


def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "born": psutil.Process().create_time(), "host": _HOST}


def _is_alive(owner: Mapping[str, Any]) -> bool:
    """Whether the process is there; another one may have got its number since."""
    try:
        process = psutil.Process(owner["pid"])
        dead = process.status() == psutil.STATUS_ZOMBIE
        return not dead and abs(process.create_time() - owner["born"]) < 1.0
    except psutil.NoSuchProcess:
        return False


def _mend(journal: Path, lock: JournalFileOpenLock) -> None:
    """Cut off a last line that a process was killed in; the next one would be glued to it."""
    if not journal.exists():
        return
    lock.acquire()
    try:
        text = journal.read_bytes()
        whole = text.rfind(b"\n") + 1
        # Looked at before anything is written into it: the name may be some other file's.
        for number, line in enumerate(text[:whole].splitlines(), start=1):
            if not _is_record(line):
                raise DataError(
                    f"{journal}: line {number} is not of a journal of a study; delete the file to "
                    "begin anew"
                )
        if whole < len(text):
            os.truncate(journal, whole)
    finally:
        lock.release()


def _is_record(line: bytes) -> bool:
    try:
        return "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _check_identity(study: optuna.Study, wanted: dict[str, Any], where: str) -> None:
    # Before the attributes: another worker writes these, and only then begins a trial.
    trials = study.get_trials(deepcopy=False)
    known = study.user_attrs.get(IDENTITY)
    if known is None:
        if trials:
            raise ConfigError(
                f"study {study.study_name!r} in {where} was not begun here; give this one another "
                "name (`study`) or another `storage`"
            )
        study.set_user_attr(IDENTITY, wanted)
        return
    before, now = _flat(known), _flat(wanted)
    changed = [key for key in [*before, *now] if before.get(key, _NO) != now.get(key, _NO)]
    if changed:
        key = changed[0]
        more = len(set(changed)) - 1
        raise ConfigError(
            f"study {study.study_name!r} in {where} was begun with other settings: {key}: was "
            f"{before.get(key, _NO)}, is {now.get(key, _NO)}"
            + (f" (and {more} more)" if more else "")
            + "; its trials cannot be compared with new ones: give the study another name "
            f"(`study`), or delete {where} to begin anew"
        )


_NO = "not there"


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value.

    >>> _flat({"a": {"b": [1, 2]}, "c": None})
    {'a.b': [1, 2], 'c': None}
    """
    if not isinstance(tree, Mapping) or not tree:
        return {prefix: tree}
    parts = (_flat(value, f"{prefix}.{key}" if prefix else key) for key, value in tree.items())
    return {key: value for part in parts for key, value in part.items()}


def _reason(error: BaseException) -> str:
    return (str(error.__cause__ or error).splitlines() or [type(error).__name__])[0]
