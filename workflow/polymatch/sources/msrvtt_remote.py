"""Where MSR-VTT's files come from. No licence is stated; the clips are of YouTube.

Microsoft's own pages of the release are gone; these are the copies that the field uses. Neither
states sizes or checksums.
"""

from __future__ import annotations

from polymatch.data.remote import RemoteFile, Unpacked

LICENCE = "LicenseRef-none-stated"

FILES = (
    RemoteFile(
        name="msrvtt_data.zip",
        urls=("https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip",),
        bytes=None,
        sha256=None,
        about="annotation of the 10,000 clips and the lists of 1K-A, as CLIP4Clip packs them",
        licence=LICENCE,
        unpacked=Unpacked("msrvtt_data", 200_000_000, strip="msrvtt_data/"),
    ),
    RemoteFile(
        name="MSRVTT.zip",
        urls=("https://www.robots.ox.ac.uk/~maxbain/frozen-in-time/data/MSRVTT.zip",),
        bytes=None,
        sha256=None,
        about="10,000 clips, some with sound, as Frozen in Time packs them; about 6.6 GB",
        licence=LICENCE,
        unpacked=Unpacked("videos", 15_000_000_000, strip="MSRVTT/videos/", keep="all/*.mp4"),
    ),
)
