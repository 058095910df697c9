"""The meta-architecture: one online step for training and inference, and no hidden state."""

import math

import numpy as np
import pytest
import torch
from detectron2.evaluation.coco_evaluation import instances_to_coco_json
from detectron2.modeling import build_model
from detectron2.utils.visualizer import Visualizer
from torch.nn import functional as F

from rcf_vis.modeling import OnlineState
from rcf_vis.modeling.postprocessing import binary_masks, summarize_slots


def build(cfg, **rcf):
    for key, value in rcf.items():
        setattr(cfg.MODEL.RCF, key, value)
    return build_model(cfg)


def video(num_frames=5, size=(64, 96), seed=0):
    generator = torch.Generator().manual_seed(seed)
    frames = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
        for _ in range(num_frames)
    ]
    return {"image": frames, "height": size[0], "width": size[1]}


def assert_equal(a, b):
    assert set(a.get_fields()) == set(b.get_fields())
    assert torch.equal(a.pred_boxes.tensor, b.pred_boxes.tensor)
    for name in a.get_fields().keys() - {"pred_boxes"}:
        assert torch.equal(a.get(name), b.get(name)), name


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"NUM_REFERENCE_FRAMES": 0},
        {"NUM_REFERENCE_FRAMES": 3, "REF_POOL": "dwconv"},
        {"REF_WEIGHT_ON": False, "PRE_NORM": True},
        {"DEEP_SUPERVISION": False, "MASK_WEIGHT": 1.0},
        {"FUSION": "full_encoder", "NUM_REFERENCE_FRAMES": 2},
        {"FUSION": "full_decoder", "PRE_NORM": True},
    ],
)
@pytest.mark.parametrize("with_objects", [True, False])
def test_gradients_reach_every_parameter(patch_cfg, make_clip, switches, with_objects):
    model = build(patch_cfg, **switches).train()
    frames = model.num_reference_frames + 1
    boxes = ((8, 40, 8, 40), (20, 60, 50, 90)) if with_objects else ()
    losses = model([make_clip(num_frames=frames, boxes=boxes)])
    sum(losses.values()).backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None]
    assert missing == []
    if with_objects:
        zero = [name for name, p in model.named_parameters() if p.grad.abs().max() == 0]
        assert zero == []


def test_losses_of_every_decoder_layer(patch_cfg, make_clip):
    names = set(build(patch_cfg).train()([make_clip()]))
    assert names == {"loss_class", "loss_dice", "loss_class_0", "loss_dice_0"}
    names = set(build(patch_cfg, DEEP_SUPERVISION=False).train()([make_clip()]))
    assert names == {"loss_class", "loss_dice"}


def test_a_clip_that_is_not_exhaustive_costs_no_more_than_its_objects(patch_cfg, make_clip):
    """Without an object every slot of it is free; the other clip of the batch counts as before."""
    model = build(patch_cfg, DROPOUT=0.0).train()
    clips = [make_clip(boxes=(), seed=1), make_clip(seed=2)]
    both, second = model(clips), model(clips[1:])
    partly = model([{**clips[0], "exhaustive": False}, clips[1]])
    torch.testing.assert_close(partly["loss_class"], second["loss_class"] / 2)
    assert both["loss_class"] > partly["loss_class"] + 0.01


def test_training_predicts_what_online_inference_does(patch_cfg, make_clip):
    """The losses of a clip are those of the online step walked by hand."""
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=2).train()
    clip = make_clip(num_frames=3)
    state = OnlineState()
    for frame in clip["image"]:
        output, state = model.step(model.extract_features([frame]), state)
    seen = {}
    model.criterion.register_forward_pre_hook(
        lambda _, args: seen.update(logits=[layer.logits for layer in args[0]])
    )
    model([clip])
    torch.testing.assert_close(seen["logits"][-1], output.logits)
    torch.testing.assert_close(seen["logits"][0], output.auxiliary[0][0])


def test_references_change_the_prediction_and_newest_comes_first(patch_cfg):
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=2).eval()
    a, b, target = (model.extract_features([x]) for x in video(3)["image"])

    def predict(*past):
        state = OnlineState()
        for features in past:
            state = state.remember(features.context, 2)
        return model.step(target, state)[0].logits

    assert (predict(a, b) - predict(b, a)).abs().max() > 1e-5
    torch.testing.assert_close(predict(b, a, b), predict(a, b))
    torch.testing.assert_close(predict(b), predict(b, b))
    torch.testing.assert_close(predict(), predict(target, target))


def test_the_oldest_frame_stands_in(patch_cfg):
    """δ = 3 with two frames so far: it is the older of them that is taken twice."""
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=3).eval()
    old, new, target = (model.extract_features([x]) for x in video(3)["image"])
    state = OnlineState().remember(old.context, 3).remember(new.context, 3)
    given = state.filled_references(target.context, 3)
    assert [
        map_ is expected
        for map_, expected in zip(given, (new.context, old.context, old.context), strict=True)
    ] == [True] * 3
    predicted = model.step(target, state)[0].logits
    by_hand = OnlineState((new.context, old.context, old.context))
    torch.testing.assert_close(predicted, model.step(target, by_hand)[0].logits)
    other = OnlineState((new.context, old.context, new.context))
    assert (predicted - model.step(target, other)[0].logits).abs().max() > 1e-5


def test_state_keeps_delta_frames(patch_cfg):
    for delta in (0, 1, 3):
        model = build(patch_cfg, NUM_REFERENCE_FRAMES=delta).eval()
        state = OnlineState()
        for frame in video(5)["image"]:
            _, state = model.track(frame, state, (64, 96))
        assert len(state.references) == delta
        assert state.identities.frame == 5


def test_no_state_hides_in_the_module(patch_cfg):
    """Two videos in turn give what each gives alone."""
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=2).eval()
    model.score_thresh = 0.0
    first, second = video(4, seed=1), video(4, seed=2)
    alone = [list(model([v])[0]) for v in (first, second)]
    assert sum(len(x) for x in alone[0]) > 0
    for turn, pair in enumerate(zip(*model([first, second]), strict=True)):
        for which, instances in enumerate(pair):
            assert_equal(instances, alone[which][turn])


def test_inference_is_lazy(patch_cfg):
    model = build(patch_cfg).eval()
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    (frames,) = model([video(4)])
    assert calls == []
    next(frames)
    next(frames)
    assert len(calls) == 2  # each frame passes the backbone once


def test_instances_of_a_frame(patch_cfg):
    model = build(patch_cfg).eval()
    model.score_thresh = 0.0
    frame = {**video(1), "height": 101, "width": 150}
    (instances,) = list(model([frame])[0])
    assert instances.image_size == (101, 150)
    assert instances.pred_masks.shape == (5, 101, 150)
    assert instances.pred_masks.dtype == torch.bool
    assert instances.track_ids.tolist() == instances.slots.tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(instances.scores, instances.class_probs.amax(1))
    assert torch.equal(instances.pred_classes, instances.class_probs.argmax(1))
    model.score_thresh = 1.1
    (nothing,) = list(model([frame])[0])
    assert nothing.pred_masks.shape == (0, 101, 150)
    assert len(nothing) == 0


def slow_upsampling(grid, size):
    """Bilinear by its definition: pixel centres, coordinates clamped to the grid."""
    rows, columns = grid.shape
    out = torch.empty(size, dtype=torch.float64)
    for y in range(size[0]):
        for x in range(size[1]):
            v = min(max((y + 0.5) * rows / size[0] - 0.5, 0), rows - 1)
            u = min(max((x + 0.5) * columns / size[1] - 0.5, 0), columns - 1)
            top, left = int(v), int(u)
            below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            a = grid[top, left] * (1 - (u - left)) + grid[top, right] * (u - left)
            b = grid[below, left] * (1 - (u - left)) + grid[below, right] * (u - left)
            out[y, x] = a * (1 - (v - top)) + b * (v - top)
    return out


def enlarged(logits, image_size, output_size, thresh):
    """The masks of all slots, from a stride of 4."""
    summary = summarize_slots(torch.zeros(len(logits), 3), logits, thresh)
    return binary_masks(
        logits,
        range(len(logits)),
        summary,
        stride=4,
        image_size=image_size,
        output_size=output_size,
        mask_thresh=thresh,
    )


@pytest.mark.parametrize("output_size", [(13, 22), (31, 17), (9, 40)])
@pytest.mark.parametrize("thresh", [0.5, 0.3])
def test_binary_masks(output_size, thresh):
    """To the padded input's size, cropped to the image, then to the output's size."""
    logits = torch.randn(2, 4, 6, dtype=torch.float64)
    masks = enlarged(logits, (13, 22), output_size, thresh).dense()
    assert masks.shape == (2, *output_size) and masks.dtype == torch.bool
    for grid, mask in zip(logits.float().double(), masks, strict=True):
        image = slow_upsampling(grid, (16, 24))[:13, :22]
        if output_size != (13, 22):
            image = slow_upsampling(image, output_size)
        clear = (image.sigmoid() - thresh).abs() > 1e-5
        assert clear.float().mean() > 0.99
        assert torch.equal(mask[clear], (image.sigmoid() > thresh)[clear])


@pytest.mark.parametrize("thresh", [0.5, 0.2])
def test_binary_masks_are_those_of_the_whole_frame(thresh):
    """Bilinear twice over all pixels, as it was done before: pixel for pixel, and tight boxes."""
    least = math.log(thresh / (1 - thresh))
    generator = torch.Generator().manual_seed(0)
    for rows, columns, image, output in (
        (9, 16, (36, 62), (145, 250)),
        (9, 16, (33, 64), (20, 31)),
        (3, 40, (12, 160), (12, 160)),
    ):
        logits = 3 * torch.randn(6, rows, columns, generator=generator) - 3
        logits[0] = -5.0  # nothing
        logits[1] = 5.0  # all
        logits[2] = -5.0
        logits[2, 1, -1] = 9.0  # at a border
        whole = F.interpolate(logits[:, None], size=(4 * rows, 4 * columns), mode="bilinear")
        whole = whole[..., : image[0], : image[1]]
        whole = F.interpolate(whole, size=output, mode="bilinear")[:, 0]
        masks = enlarged(logits, image, output, thresh)
        clear = (whole - least).abs() > 1e-5
        assert clear.float().mean() > 0.999
        assert torch.equal(masks.dense()[clear], (whole > least)[clear])
        for (x0, y0, x1, y1), crop in zip(masks.boxes, masks.crops, strict=True):
            assert crop.shape == (y1 - y0, x1 - x0)
            if crop.size:
                assert all(side.any() for side in (crop[0], crop[-1], crop[:, 0], crop[:, -1]))
        assert masks.boxes[0] == (0, 0, 0, 0)
        assert masks.boxes[1] == (0, 0, output[1], output[0])


def test_padding_of_the_masks_is_cut_off():
    """Slots that are certain in the padding alone: nothing of them is in the frame."""
    logits = torch.full((1, 2, 2), -9.0)
    logits[0, 1, 1] = 9.0
    assert enlarged(logits, (8, 8), (40, 40), 0.5).areas().sum() > 300
    assert enlarged(logits, (4, 4), (40, 40), 0.5).areas().sum() == 0


def test_predictions_are_taken_by_detectron2(patch_cfg):
    """Tight boxes beside the masks, so that Detectron2's own tools take the instances."""
    model = build(patch_cfg).eval()
    model.score_thresh = 0.0
    frame = {**video(1), "height": 50, "width": 70}
    (instances,) = list(model([frame])[0])
    for mask, box in zip(instances.pred_masks, instances.pred_boxes.tensor.tolist(), strict=True):
        rows, columns = (mask.any(dim).nonzero().flatten().tolist() for dim in (1, 0))
        expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] if rows else [0] * 4
        assert box == expected
    results = instances_to_coco_json(instances, 3)
    assert [r["image_id"] for r in results] == [3] * 5
    drawn = Visualizer(np.zeros((50, 70, 3), np.uint8)).draw_instance_predictions(instances)
    assert drawn.get_image().any()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SCORE_THRESH", 1.5),
        ("SCORE_THRESH", -0.1),
        ("MASK_THRESH", 0.0),
        ("MASK_THRESH", 1.0),
        ("MATCH_IOU_THRESH", -0.5),
        ("MATCH_IOU_THRESH", 1.5),
        ("MAX_AGE", -1),
        ("LABELS_PER_TRACK", 0),
        ("AP_SCORE_THRESH", -0.5),
        ("AP_SCORE_THRESH", 1.5),
    ],
)
def test_test_keys_are_checked_at_construction(patch_cfg, key, value):
    setattr(patch_cfg.MODEL.RCF.TEST, key, value)
    with pytest.raises(ValueError, match=f"MODEL.RCF.TEST.{key} is {value}, expected"):
        build(patch_cfg)


def test_firing_needs_the_threshold(patch_cfg):
    model = build(patch_cfg).eval()
    model.score_thresh = 0.0
    (everything,) = list(model([video(1)])[0])
    ordered = everything.scores.sort(descending=True).values
    model.score_thresh = float(ordered[1])
    (two,) = list(model([video(1)])[0])
    assert len(two) == 2
    assert float(two.scores.min()) >= float(ordered[1])


@pytest.mark.parametrize("pool", ["pool", "dwconv"])
@pytest.mark.parametrize("size", [(64, 96), (50, 71)])
def test_padding_is_not_seen(patch_cfg, pool, size):
    """A frame in a batch with a larger one, padded right and below, as the frame alone."""
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=2, REF_POOL=pool).eval().double()
    model.extract_features = _in_double(model)
    small, large = video(3, size, seed=1)["image"], video(3, (130, 160), seed=2)["image"]
    alone, together = OnlineState(), OnlineState()
    for a, b in zip(small, large, strict=True):
        expected, alone = model.step(model.extract_features([a]), alone)
        output, together = model.step(model.extract_features([a, b]), together)
    torch.testing.assert_close(output.logits[:1], expected.logits)
    height, width = expected.segmentation.valid_sizes[0]
    torch.testing.assert_close(
        output.masks[:1, :, :height, :width], expected.masks[:, :, :height, :width]
    )


def _in_double(model):
    extract = type(model).extract_features

    def extract_features(images):
        handle = model.backbone.register_forward_pre_hook(lambda _, args: (args[0].double(),))
        try:
            return extract(model, images)
        finally:
            handle.remove()

    return extract_features


def test_training_batch_of_two_sizes_is_the_mean_of_both(patch_cfg, make_clip):
    model = build(patch_cfg).train()
    clips = [make_clip((64, 96)), make_clip((50, 71), boxes=((5, 30, 5, 40),), seed=3)]
    alone = [model([clip]) for clip in clips]
    for name, loss in model(clips).items():
        torch.testing.assert_close(
            loss, (alone[0][name] + alone[1][name]) / 2, rtol=1e-4, atol=1e-5
        )


def test_order_supervision_predicts_every_frame(patch_cfg, make_clip):
    model = build(patch_cfg).train()
    clip = make_clip(num_frames=2)
    clip["instances"] = clip["instances"] * 2
    calls = []
    model.heads.register_forward_hook(lambda *_: calls.append(1))
    losses = model([clip])
    assert len(calls) == 2 * 2  # frames × decoder layers
    assert torch.isfinite(sum(losses.values()))


def test_clips_of_one_batch_must_agree(patch_cfg, make_clip):
    model = build(patch_cfg).train()
    with pytest.raises(ValueError, match="differ in .frames, supervised frames."):
        model([make_clip(num_frames=2), make_clip(num_frames=1)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CONTEXT_FEATURE": "res6"}, "CONTEXT_FEATURE is 'res6', expected 'res5'"),
        ({"CONTEXT_FEATURE": "res4"}, "CONTEXT_FEATURE is 'res4', expected 'res5'"),
        ({"IN_FEATURES": ["res2", "p9"]}, r"IN_FEATURES names \['p9'\]"),
        ({"IN_FEATURES": ["res2", "res4", "res5"]}, r"have the strides \[4, 16, 32\]; expected"),
        ({"COMMON_STRIDE": 6}, "COMMON_STRIDE is 6"),
        ({"MASK_DECODER_DIMS": [32, 16]}, "MASK_DECODER_DIMS has 2 widths, expected 4"),
    ],
)
def test_wrong_levels_are_named(patch_cfg, changes, message):
    with pytest.raises(ValueError, match=message):
        build(patch_cfg, **changes)


def test_context_at_stride_16(patch_cfg):
    model = build(
        patch_cfg,
        IN_FEATURES=["res2", "res3", "res4"],
        CONTEXT_FEATURE="res4",
        MASK_DECODER_DIMS=[32, 16, 8],
    ).eval()
    output, _ = model.step(model.extract_features(video(1)["image"]), OnlineState())
    assert output.masks.shape == (1, 5, 16, 24)
