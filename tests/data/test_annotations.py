"""Files of ECCV Caption and Crisscrossed Captions, and what is wrong with others."""

from __future__ import annotations

import json

import pytest

from polymatch.data.annotations import ECCV_FILES, annotation_files, read_cxc, read_eccv
from polymatch.errors import DataError
from polymatch.settings.stages import EvaluationSettings

RATED = """caption,image,agg_score,sampling_method
COCO_val2014:sentid:732091,COCO_val2014_000000365325.jpg,2.2,c2i_intrasim
COCO_val2014:sentid:262300,COCO_val2014_000000000042.jpg,3.0,c2i_intrasim
COCO_val2014:sentid:262300,COCO_val2014_000000000043.jpg,4.97,c2i_original
"""


def test_pairs_rated_3_and_more_are_right_both_ways(tmp_path):
    path = tmp_path / "sits_test.csv"
    path.write_text(RATED)
    assert read_cxc(path) == ({"42": ["262300"], "43": ["262300"]}, {"262300": ["42", "43"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("caption,image\n", r"sits_test\.csv: the columns agg_score are missing"),
        ("", r"the columns agg_score, caption, image are missing"),
        (RATED + "c,i.jpg,4,x\n", r"row 4 is not a rated pair: 'c', 'i\.jpg', '4'"),
        (RATED + "c1,i1.jpg,high,x\n", r"row 4 is not a rated pair: 'c1', 'i1\.jpg', 'high'"),
        (RATED + "c1\n", r"row 4 is not a rated pair: 'c1', None, None"),
    ],
)
def test_another_table_is_refused(tmp_path, text, message):
    path = tmp_path / "sits_test.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_cxc(path)


def test_eccv_caption_is_two_files_of_ids(tmp_path):
    for name, content in zip(ECCV_FILES, ({"5": [7, 8]}, {"7": [5]}), strict=True):
        (tmp_path / name).write_text(json.dumps(content))
    assert read_eccv(tmp_path) == ({"5": ["7", "8"]}, {"7": ["5"]})
    (tmp_path / ECCV_FILES[1]).write_text('{"7": 5}')
    with pytest.raises(DataError, match=r"eccv_caption_to_image\.json: not an object of lists of"):
        read_eccv(tmp_path)
    (tmp_path / ECCV_FILES[0]).unlink()
    message = (
        "eccv_image_to_caption.json: no such file; `evaluation.eccv` names the folder of eccv_i"
    )
    with pytest.raises(DataError, match=message):
        read_eccv(tmp_path)


def test_a_file_that_is_not_there_is_said_before_any_job(tmp_path):
    present = tmp_path / "there.json"
    present.write_text("{}")
    found = annotation_files(EvaluationSettings(pmrp=str(present)))
    assert found == {"pmrp": [str(present)], "eccv": [], "cxc": []}
    assert annotation_files(EvaluationSettings(pmrp="groups"))["pmrp"] == []
    for key in ("pmrp", "cxc"):
        with pytest.raises(DataError, match=f"^gone: no such file; `evaluation.{key}` names it$"):
            annotation_files(EvaluationSettings(**{key: "gone"}))
    with pytest.raises(DataError, match=r"^gone/eccv_image_to_caption\.json: no such file; `eval"):
        annotation_files(EvaluationSettings(eccv="gone"))


def test_a_file_that_is_yet_to_be_unpacked_is_stood_for_by_its_folder_s_marker(tmp_path):
    inside, marker = tmp_path / "annotations/instances.json", f"{tmp_path}/annotations.json"
    settings = EvaluationSettings(pmrp=str(inside))
    with pytest.raises(DataError, match=r"instances\.json: no such file; `evaluation\.pmrp` names"):
        annotation_files(settings)
    fetched = {str(inside.parent): marker}
    assert annotation_files(settings, fetched)["pmrp"] == [marker]
    inside.parent.mkdir()
    with pytest.raises(DataError, match=r"instances\.json: no such file; `evaluation\.pmrp` names"):
        annotation_files(settings, fetched)  # the archive is there, and lacks it
    inside.write_text("{}")
    # The same as before, or what depends on it would be made again.
    assert annotation_files(settings, fetched)["pmrp"] == [marker]
    assert annotation_files(settings)["pmrp"] == [str(inside)]
