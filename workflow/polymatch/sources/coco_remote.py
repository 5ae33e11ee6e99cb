"""Where COCO's files come from, of 2014 and of 2017.

Sizes and checksums are those that TensorFlow Datasets publishes (`url_checksums/coco.txt`).
"""

from __future__ import annotations

from polymatch.data.remote import RemoteFile, Unpacked

_HOSTS = ("http://images.cocodataset.org", "https://s3.amazonaws.com/images.cocodataset.org")


def _pictures(name: str, count: str, size: int, sha256: str) -> RemoteFile:
    archive = f"{name}.zip"
    return RemoteFile(
        name=archive,
        urls=tuple(f"{host}/zips/{archive}" for host in _HOSTS),
        bytes=size,
        sha256=sha256,
        about=f"{count} pictures",
        licence="LicenseRef-Flickr-terms-of-use",
        # JPEGs hardly shrink, nor do they grow
        unpacked=Unpacked(name, size + size // 10, strip=f"{name}/"),
    )


def _annotations(year: str, about: str, size: int, sha256: str, keep: str | None) -> RemoteFile:
    folder = f"annotations_trainval{year}"
    return RemoteFile(
        name=f"{folder}.zip",
        urls=tuple(f"{host}/annotations/{folder}.zip" for host in _HOSTS),
        bytes=size,
        sha256=sha256,
        about=about,
        licence="CC-BY-4.0",
        unpacked=Unpacked(folder, 1_500_000_000, strip="annotations/", keep=keep),
    )


OF_2014 = (
    _pictures(
        "train2014",
        "82,783",
        13_510_573_713,
        "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    ),
    _pictures(
        "val2014",
        "40,504",
        6_645_013_297,
        "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
    ),
    _annotations(
        "2014",
        "instances, by which PMRP compares pictures of val and test",
        252_872_794,
        "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
        "instances_val2014.json",
    ),
)
"""Pictures and instances that Karpathy's split is of."""

OF_2017 = (
    _pictures(
        "train2017",
        "118,287",
        19_336_861_798,
        "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
    ),
    _pictures(
        "val2017",
        "5,000",
        815_585_330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
    ),
    _annotations(
        "2017",
        "captions, and instances for PMRP",
        252_907_541,
        "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
        None,
    ),
)
"""Pictures, captions and instances of 2017."""
