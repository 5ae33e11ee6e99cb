"""What figures are computed beside the ranks, and from which annotation."""

from __future__ import annotations

from pydantic import Field

from polymatch.settings.section import Section


class JudgedSettings(Section):
    """Part of the section `evaluation`: figures that need more than the right answers."""

    asp: bool = Field(
        False,
        description="average semantic precision (columns `t2v_asp`, `v2t_asp`): does the whole "
        "ranking follow the words that a caption shares with those of an item?",
    )
    pmrp: str | None = Field(
        None,
        min_length=1,
        description="plausible-match R-precision (columns `t2v_pmrp`, `t2v_pmrp_0` to `_2` of one "
        "Hamming distance, and `v2t_...`) of the categories in this file, in the format of COCO's "
        "instances; or `groups`: an item's subgroup, and the part of its name before the first `-`",
    )
    folds: int | None = Field(
        None,
        ge=2,
        description="equal parts that the test items are cut into, in their order (5 for COCO 1K): "
        "every metric within them too, as `fold_...`",
    )
    eccv: str | None = Field(
        None,
        min_length=1,
        description="folder with ECCV Caption's `eccv_image_to_caption.json` and "
        "`eccv_caption_to_image.json` (columns `t2v_eccv_map_r`, `..._rprecision`, `..._r1`)",
    )
    cxc: str | None = Field(
        None,
        min_length=1,
        description="file of Crisscrossed Captions, `sits_test.csv`: recalls at 1, 5 and 10 of its "
        "right answers (columns `t2v_cxc_r1`, ...)",
    )
