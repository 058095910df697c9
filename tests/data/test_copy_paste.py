"""Objects of other images in a clip: arithmetic of masks, paths, draws, and the mapper."""

import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from pycocotools import mask as mask_util

from rcf_vis.data import (
    ClipDatasetMapper,
    DatasetError,
    build_train_loader,
    register_ytvis_instances,
)
from rcf_vis.data.copy_paste import CopyPaste, Pasted, paste
from rcf_vis.data.cut_outs import CutOut, CutOutSource

from .clip_data import encode, make_content
from .mappers import plain_mapper

H, W = 40, 60
BLUE = (0, 0, 200)


def rectangle(top, left, bottom, right):
    mask = np.zeros((H, W), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def block(height=10, width=12, category=1):
    """A cut-out that is the object alone, without a feathered border."""
    image = np.full((height, width, 3), BLUE, np.uint8)
    return CutOut(category, image, np.full((height, width), 255, np.uint8))


def at(left, top):
    return np.array([[1.0, 0, left], [0, 1, top]])


def grey():
    return np.full((H, W, 3), 100, np.uint8)


def test_what_is_in_front_hides_what_is_below():
    own = rectangle(5, 5, 25, 25)
    frames, masks = paste([grey()], [[own]], [Pasted(block(), [at(20, 10)])])
    pasted = rectangle(10, 20, 20, 32)
    np.testing.assert_array_equal(masks[0], [own & ~pasted & 1, pasted])
    np.testing.assert_array_equal(frames[0][pasted == 1], np.tile(BLUE, (120, 1)))
    np.testing.assert_array_equal(frames[0][pasted == 0], np.full((H * W - 120, 3), 100))
    assert own.sum() == 400  # what was handed in is as it was


def test_what_is_behind_is_hidden_by_the_clips_own():
    own = rectangle(5, 5, 25, 25)
    frames, masks = paste([grey()], [[own]], [Pasted(block(), [at(20, 10)], behind=True)])
    visible = rectangle(10, 25, 20, 32)
    np.testing.assert_array_equal(masks[0], [own, visible])
    np.testing.assert_array_equal(frames[0][rectangle(5, 5, 25, 24) == 1], np.full((380, 3), 100))
    np.testing.assert_array_equal(frames[0][rectangle(10, 26, 20, 32) == 1], np.tile(BLUE, (60, 1)))


def test_later_hides_earlier_and_each_pixel_belongs_to_one():
    own = [rectangle(0, 0, 30, 30)]
    layers = [
        Pasted(block(), [at(25, 20)], behind=True),
        Pasted(block(), [at(22, 18)]),
        Pasted(block(), [at(26, 15)]),
    ]
    ((base, behind, first, second),) = paste([grey()], [own], layers)[1]
    np.testing.assert_array_equal(second, rectangle(15, 26, 25, 38))
    np.testing.assert_array_equal(first, rectangle(18, 22, 28, 34) & ~second & 1)
    np.testing.assert_array_equal(
        behind, rectangle(20, 25, 30, 37) & ~own[0] & ~first & ~second & 1
    )
    np.testing.assert_array_equal(base, own[0] & ~first & ~second & 1)
    assert (base + behind + first + second).max() == 1


@pytest.mark.parametrize(("left", "visible"), [(56, 4), (59, 0), (70, 0), (-9, 3), (-20, 0)])
def test_what_is_hardly_in_the_frame_is_no_ground_truth(left, visible):
    """Less than a quarter of twelve columns."""
    ((mask,),) = paste([grey()], [[]], [Pasted(block(), [at(left, 10)])], min_visible=0.25)[1]
    assert mask.sum() == 10 * visible


def test_a_hidden_object_of_the_clip_is_no_ground_truth():
    own = rectangle(10, 20, 20, 34)  # 14 columns, of which 2 stay
    for share, left in ((0.14, 20), (0.15, 0)):
        ((mask, _),) = paste([grey()], [[own]], [Pasted(block(), [at(20, 10)])], share)[1]
        assert mask.sum() == left


def test_an_object_moves_through_the_frames():
    frames, masks = paste(
        [grey()] * 3, [[]] * 3, [Pasted(block(), [at(5 * k, 3) for k in range(3)])]
    )
    for k, (frame, (mask,)) in enumerate(zip(frames, masks, strict=True)):
        np.testing.assert_array_equal(mask, rectangle(3, 5 * k, 13, 5 * k + 12))
        np.testing.assert_array_equal((frame == BLUE).all(-1), mask == 1)


def test_scale_mirror_and_the_whole_area():
    half = np.zeros((10, 12), np.uint8)
    half[:, :4] = 255  # the left third
    cut_out = CutOut(0, np.full((10, 12, 3), BLUE, np.uint8), half)
    mirrored = np.array([[-2.0, 0, 40], [0, 2, 4]])
    ((mask,),) = paste([grey()], [[]], [Pasted(cut_out, [mirrored])])[1]
    np.testing.assert_allclose(np.nonzero(mask)[1].min(), 32, atol=1)
    assert mask.sum() == pytest.approx(4 * 40, rel=0.15)


def places(mask):
    """What a record says of where an object is."""
    rows, columns = np.nonzero(mask)
    box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    return {"segmentation": encode(mask), "bbox": [float(side) for side in box]}


def records():
    """Three images, in each a block that is away from the borders, and a speck."""
    made = []
    for number in range(3):
        masks = [rectangle(10, 10, 25, 30), rectangle(30, 40, 32, 43)]
        made.append(
            {
                "video_id": number,
                "height": H,
                "width": W,
                "length": 1,
                "file_names": [f"{number}.png"],
                "annotations": [
                    [
                        {"id": k, "category_id": number, "iscrowd": 0, **places(mask)}
                        for k, mask in enumerate(masks)
                    ]
                ],
            }
        )
    return made


def source(made, **changes):
    return CutOutSource(made, **{"min_area": 0.03, "image_format": "RGB", **changes})


def test_which_objects_are_cut_out():
    assert len(source(records())) == 3
    assert len(source(records(), min_area=0.0)) == 6
    made = records()
    made[0]["annotations"][0][0] |= places(rectangle(0, 10, 25, 30))
    assert len(source(made)) == 3  # cut off at one side
    made[0]["annotations"][0][0] |= places(rectangle(0, 0, 25, 30))
    assert len(source(made)) == 2  # at two
    made[1]["annotations"][0][0]["iscrowd"] = 1
    with pytest.raises(DatasetError, match="INPUT.COPY_PASTE: 1 training images .* two or more"):
        source(made)


def test_an_object_of_a_video_counts_once_where_it_is_largest():
    made = records()[:2]
    made[0] |= {"length": 2, "file_names": ["a.png", "b.png"]}
    larger = {**made[0]["annotations"][0][0], **places(rectangle(5, 10, 30, 40))}
    made[0]["annotations"].append([larger])
    found = source(made)
    assert len(found) == 2
    assert found.items[0]["file_name"] == "b.png"


def test_polygons_are_cut_out_too():
    """As the records of COCO's own json have them."""
    made = records()
    corners = [10, 10, 30, 10, 30, 25, 10, 25]
    made[0]["annotations"][0][0] |= {"segmentation": [corners], "bbox": [10, 10, 20, 15]}
    found = source(made)
    np.testing.assert_array_equal(
        mask_util.decode(found.items[0]["segmentation"]), rectangle(10, 10, 25, 30)
    )


def test_no_object_comes_from_the_clips_own_image(monkeypatch):
    found = source(records())
    monkeypatch.setattr(found, "_read", lambda item: item)
    np.random.seed(0)
    drawn = {found.draw(not_of={"0.png"})["file_name"] for _ in range(40)}
    assert drawn == {"1.png", "2.png"}
    assert found.draw(category_id=0, not_of={"0.png"}) is None
    assert found.draw(category_id=5) is None
    assert found.draw(category_id=2)["file_name"] == "2.png"


def fixed(cut_outs, **changes):
    """A CopyPaste whose cut-outs are given."""

    class Source:
        def __init__(self):
            self.asked = []

        def draw(self, category_id=None, not_of=()):
            self.asked.append(category_id)
            return cut_outs.pop(0)

    made = CopyPaste(**{"behind": 0.0, "flip": False, **changes})
    made.source = Source()
    return made


def test_an_object_beside_another_has_its_class_and_about_its_size():
    np.random.seed(0)
    own = rectangle(10, 30, 30, 40)
    for _ in range(20):
        augment = fixed([block(20, 10)], num_objects=(1, 1), same_class=1.0, motion=0.0)
        objects = [[{"id": 7, "category_id": 4}]]
        _, (found,), ((_, mask),) = augment([grey()], objects, [[own]], ())
        assert augment.source.asked == [4]
        assert found == [{"id": 7, "category_id": 4}, {"id": 8, "category_id": 1}]
        rows, columns = np.nonzero(mask)
        assert 14 <= rows.max() - rows.min() + 1 <= 27  # 20 rows, 0.8 to 1.25 times
        assert abs(rows.max() + 1 - 30) <= 4
        assert abs((columns.min() + columns.max() + 1) / 2 - 35) <= 14


def test_motion_is_a_share_of_the_objects_size_and_straight():
    np.random.seed(0)
    longest = 0.0
    for _ in range(50):
        augment = fixed([], motion=0.2, rotation=0.0, growth=0.0)
        moves = augment._moves(block(10, 40), 2.0, np.array([30.0, 20.0]), 4, anchor=1)
        centres = np.array([move @ (20, 5, 1) for move in moves])
        np.testing.assert_allclose(centres[1], (30, 20))
        steps = np.diff(centres, axis=0)
        np.testing.assert_allclose(steps, np.tile(steps[0], (3, 1)))
        longest = max(longest, float(np.linalg.norm(steps[0])))
    assert 0.15 * 40 < longest <= 0.2 * 40  # √(10·40) · 2 = 40 pixels


def test_turn_and_growth_of_a_frame_are_limited():
    np.random.seed(0)
    for _ in range(20):
        augment = fixed([], motion=0.0, rotation=5.0, growth=0.1)
        moves = augment._moves(block(), 1.0, np.array([30.0, 20.0]), 3, anchor=0)
        factors = [np.sqrt(np.linalg.det(move[:, :2])) for move in moves]
        assert factors[0] == pytest.approx(1)
        assert factors[2] / factors[1] == pytest.approx(factors[1])
        assert 0.9 <= factors[1] <= 1.1
        angle = np.degrees(np.arctan2(moves[1][0, 1], moves[1][0, 0]))
        assert abs(angle) <= 5


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("PROB", 1.5, "0 to 1"),
        ("NUM_OBJECTS", [3, 2], "least, largest"),
        ("SIZE", [0.0, 1.0], "over 0"),
        ("MOTION", -0.1, "0 or more"),
        ("GROWTH", 1.0, "0 <= GROWTH < 1"),
    ],
)
def test_a_wrong_value_is_named(cfg, key, value, expected):
    cfg.INPUT.COPY_PASTE[key] = value
    with pytest.raises(ValueError, match=rf"INPUT.COPY_PASTE.{key} is .*{expected}"):
        CopyPaste(cfg)


@pytest.fixture
def registered(write_dataset):
    name = "pasted_set"
    register_ytvis_instances(name, {}, *write_dataset(make_content(lengths=(4, 4, 4))))
    yield name
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def test_the_loader_brings_the_objects(registered, cfg):
    """Off by default; on, the clips have objects that their videos lack, in the target alone."""
    cfg.DATASETS.TRAIN = (registered,)
    cfg.SOLVER.IMS_PER_BATCH = 3
    assert ClipDatasetMapper(cfg, is_train=True).copy_paste is None
    cfg.INPUT.COPY_PASTE.ENABLED = True
    cfg.INPUT.COPY_PASTE.PROB = 1.0
    assert ClipDatasetMapper(cfg, is_train=False).copy_paste is None
    np.random.seed(0)
    batch = next(iter(build_train_loader(cfg)))
    counts = [len(of) for sample in batch for of in sample["instances"]]
    assert len(counts) == 3 and max(counts) > 2
    for sample in batch:
        (instances,) = sample["instances"]
        assert len(set(instances.gt_ids.tolist())) == len(instances)
        pasted = instances.gt_ids > 10 * sample["video_id"] + 1  # the clip's own overlap
        assert instances.gt_masks.tensor[pasted].sum(0).max() == 1


def test_a_clip_without_objects_collected(load):
    mapper = plain_mapper(copy_paste=CopyPaste(prob=1.0))
    with pytest.raises(RuntimeError, match="collect was not called"):
        mapper(load()[0])


def test_share_of_the_clips():
    np.random.seed(0)
    assert sum(CopyPaste(prob=0.25).draws() for _ in range(2000)) == pytest.approx(500, abs=60)
