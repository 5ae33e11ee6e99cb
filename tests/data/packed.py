"""Archives made for tests, hostile ones too."""

from __future__ import annotations

import io
import tarfile
import zipfile


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """A zip of name -> bytes; names may be `ZipInfo`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as file:
        for name, data in files.items() if isinstance(files, dict) else files:
            file.writestr(name, data)
    return packed.getvalue()


def tarred(files, mode="w:gz"):
    """A tar of name -> bytes; instead of a name there may be a `TarInfo`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as file:
        for name, data in files.items() if isinstance(files, dict) else files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return packed.getvalue()
