"""Equations 3 and 4 against loops over pixels and over all assignments."""

import itertools
import math

import pytest
import torch

from rcf_vis.modeling import HungarianMatcher, SetCriterion
from rcf_vis.modeling.targets import SlotPredictions, batch_targets
from tests.conftest import make_instances
from tests.pretend_device import DEVICE, PretendDevice

STRIDE = 4
EMPTY = 3


def predictions(batch=1, slots=4, size=(4, 6), seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, slots, EMPTY + 1, generator=generator) * 2
    masks = torch.randn(batch, slots, *size, generator=generator) * 3
    return SlotPredictions(logits, masks)


def targets(*instances, size=(4, 6), **more):
    """Of clips with one supervised frame each; ``more``: key → one value a clip."""
    clips = [{"instances": [of]} for of in instances]
    for key, values in more.items():
        clips = [clip | {key: value} for clip, value in zip(clips, values, strict=True)]
    return batch_targets(clips, STRIDE, size, torch.device("cpu"))


def frames_of_a_clip(*instances):
    return batch_targets([{"instances": list(instances)}], STRIDE, (4, 6), torch.device("cpu"))


def joined(*frames):
    return SlotPredictions(
        torch.cat([f.logits for f in frames]), torch.cat([f.masks for f in frames])
    )


def two_objects(size=(16, 24)):
    return make_instances(size, [(0, 9, 2, 11), (6, 16, 10, 24)], [2, 0], [7, 4])


def no_objects(size=(16, 24)):
    return make_instances(size, [], [], [])


def slow_dice(a, b):
    overlap = sum(x * y for x, y in zip(a, b, strict=True))
    return (2 * overlap + 1) / (sum(x * x for x in a) + sum(y * y for y in b) + 1)


def slow_similarity(prediction, target):
    probabilities = prediction.logits[0].softmax(-1)
    rows = []
    for m, c in zip(target.masks, target.classes.tolist(), strict=True):
        row = []
        for slot in range(prediction.logits.shape[1]):
            mask = prediction.masks[0, slot].sigmoid().flatten().tolist()
            row.append(slow_dice(mask, m.flatten().tolist()) + float(probabilities[slot, c]))
        rows.append(row)
    return torch.tensor(rows)


@pytest.mark.parametrize("size", [(16, 24), (13, 21), (6, 6)])
def test_masks_are_shares_of_cells(size):
    """The mean over the pixels of a cell that lie in the image; nothing in the padding."""
    height, width = size
    boxes = [(0, height, 0, width), (2, height, 1, 5), (0, 5, width - 4, width)]
    instances = make_instances(size, boxes, [2, 0, 1], [7, 4, 5])
    target = targets(instances)
    for fine, shares in zip(instances.gt_masks.tensor, target.masks, strict=True):
        for y, x in itertools.product(range(4), range(6)):
            pixels = [
                float(fine[row, column])
                for row in range(4 * y, min(4 * y + 4, height))
                for column in range(4 * x, min(4 * x + 4, width))
            ]
            expected = sum(pixels) / len(pixels) if pixels else 0.0
            assert float(shares[y, x]) == pytest.approx(expected)
            assert bool(target.valid[0, y, x]) == bool(pixels)


def test_equation_3():
    prediction, target = predictions(), targets(two_objects())
    matcher = HungarianMatcher()
    torch.testing.assert_close(
        matcher.similarity(prediction, target), slow_similarity(prediction, target)
    )


@pytest.mark.parametrize("seed", range(5))
def test_assignment_is_the_best_of_all(seed):
    prediction, target = predictions(seed=seed), targets(two_objects())
    similarity = slow_similarity(prediction, target)
    best = max(
        itertools.permutations(range(4), 2), key=lambda s: similarity[0, s[0]] + similarity[1, s[1]]
    )
    ((objects, slots),) = HungarianMatcher()([prediction], target)
    assert objects.tolist() == [0, 1]
    assert tuple(slots.tolist()) == best


def test_more_objects_than_slots():
    target = targets(two_objects())
    ((objects, slots),) = HungarianMatcher()([predictions(slots=1)], target)
    similarity = slow_similarity(predictions(slots=1), target)
    assert slots.tolist() == [0]
    assert objects.tolist() == [int(similarity[:, 0].argmax())]


def test_cross_entropy_enters_the_assignment_when_it_is_on():
    prediction, target = predictions(), targets(two_objects())
    expected = slow_similarity(prediction, target)
    for g, s in itertools.product(range(2), range(4)):
        bce = torch.nn.functional.binary_cross_entropy_with_logits(
            prediction.masks[0, s], target.masks[g]
        )
        expected[g, s] -= 0.7 * bce
    torch.testing.assert_close(
        HungarianMatcher(mask_weight=0.7).similarity(prediction, target), expected
    )


def test_class_weight_of_the_assignment():
    prediction, target = predictions(), targets(two_objects())
    probabilities = prediction.logits[0].softmax(-1)[:, target.classes].T
    torch.testing.assert_close(
        HungarianMatcher(class_weight=4.0).similarity(prediction, target),
        slow_similarity(prediction, target) + 3 * probabilities,
    )


def slow_loss(prediction, target, pairs, no_object_weight):
    """Equation 4 for one frame; ``pairs``: object → slot."""
    object_of = {slot: g for g, slot in pairs.items()}
    class_loss = dice_loss = mask_loss = 0.0
    for slot in range(prediction.logits.shape[1]):
        p = prediction.logits[0, slot].softmax(-1)
        if slot not in object_of:
            class_loss -= no_object_weight * math.log(float(p[EMPTY]))
            continue
        g = object_of[slot]
        class_loss -= math.log(float(p[int(target.classes[g])]))
        probability = prediction.masks[0, slot].sigmoid()
        truth = target.masks[g]
        dice_loss += 1 - slow_dice(probability.flatten().tolist(), truth.flatten().tolist())
        log = truth * probability.log() + (1 - truth) * (1 - probability).log()
        mask_loss -= float(log.mean())
    return {"loss_class": class_loss, "loss_dice": dice_loss, "loss_mask": mask_loss}


@pytest.mark.parametrize("no_object_weight", [1.0, 0.1])
def test_equation_4(no_object_weight):
    prediction, target = predictions(), targets(two_objects())
    matcher = HungarianMatcher(mask_weight=1.0)
    criterion = SetCriterion(matcher=matcher, no_object_weight=no_object_weight, mask_weight=1.0)
    ((objects, slots),) = matcher([prediction], target)
    pairs = dict(zip(objects.tolist(), slots.tolist(), strict=True))
    expected = slow_loss(prediction, target, pairs, no_object_weight)
    losses = criterion([prediction], target)
    assert {k: float(v) for k, v in losses.items()} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("rest", [0.0, 0.3])
@pytest.mark.parametrize("ignored", [None, (0, 12, 5, 17)])
def test_where_not_every_object_is_annotated(rest, ignored):
    """An empty slot pays for the share of its mask on annotated objects, and ``rest`` beside.

    So it does on ignored places of a clip; in the rest of it the slot pays in full.
    """
    prediction = predictions(batch=2, slots=5)
    prediction.masks[:, :, 3:] = 9.0  # the padding, which is not counted
    frames = (two_objects((12, 24)), two_objects((12, 24)))
    plain = targets(*frames)
    place = torch.ones(12, 24, dtype=torch.bool)
    if ignored is None:
        more = {"exhaustive": [True, False]}
    else:
        top, bottom, left, right = ignored
        place[:] = False
        place[top:bottom, left:right] = True
        more = {"ignored": [[torch.zeros_like(place)], [place]]}
    partly = targets(*frames, **more)
    matcher = HungarianMatcher()
    criterion = SetCriterion(matcher=matcher, no_object_weight=0.5, non_exhaustive_weight=rest)
    ((objects, slots),) = matcher([prediction], partly)
    matched = {(int(partly.frames[g]), int(s)) for g, s in zip(objects, slots, strict=True)}
    saved = 0.0
    for slot in range(5):
        if (1, slot) in matched:
            continue
        unsaid, total = 0.0, 0.0
        for y in range(3):
            for x in range(6):
                p = float(prediction.masks[1, slot, y, x].sigmoid())
                covered = sum(float(partly.masks[g, y, x]) for g in (2, 3))
                cell = place[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].float().mean()
                unsaid += p * (1 - min(covered, 1.0)) * float(cell)
                total += p
        loss = -math.log(float(prediction.logits[1, slot].softmax(-1)[EMPTY]))
        saved += 0.5 * loss * unsaid / total * (1 - rest)
    before, after = criterion([prediction], plain), criterion([prediction], partly)
    assert saved > 0.05
    assert float(before["loss_class"] - after["loss_class"]) == pytest.approx(saved / 2, rel=1e-4)
    assert before["loss_dice"] == after["loss_dice"]


def test_weights_scale_the_terms():
    prediction, target = predictions(), targets(two_objects())
    one = SetCriterion(matcher=HungarianMatcher())([prediction], target)
    other = SetCriterion(matcher=HungarianMatcher(), class_weight=2.0, dice_weight=5.0)(
        [prediction], target
    )
    assert set(one) == {"loss_class", "loss_dice"}
    torch.testing.assert_close(other["loss_class"], 2 * one["loss_class"])
    torch.testing.assert_close(other["loss_dice"], 5 * one["loss_dice"])


def test_batch_is_the_mean_of_its_frames():
    first, second = predictions(seed=1), predictions(seed=2)
    joint = joined(first, second)
    criterion = SetCriterion(matcher=HungarianMatcher())
    alone = [
        criterion([first], targets(two_objects())),
        criterion([second], targets(no_objects())),
    ]
    both = criterion([joint], targets(two_objects(), no_objects()))
    for name, loss in both.items():
        torch.testing.assert_close(loss, (alone[0][name] + alone[1][name]) / 2)


def test_frame_without_objects_has_a_gradient_everywhere():
    prediction = predictions()
    prediction.logits.requires_grad_()
    prediction.masks.requires_grad_()
    losses = SetCriterion(matcher=HungarianMatcher())([prediction], targets(no_objects()))
    assert losses["loss_dice"].item() == 0
    sum(losses.values()).backward()
    assert prediction.logits.grad.abs().min() > 0
    assert prediction.masks.grad.abs().max() == 0


def test_padding_is_not_seen():
    alone, instances = predictions(size=(3, 4)), two_objects((10, 15))
    padded_masks = torch.full((1, 4, 4, 6), 9.0)
    padded_masks[:, :, :3, :4] = alone.masks
    padded = SlotPredictions(alone.logits, padded_masks)
    criterion = SetCriterion(matcher=HungarianMatcher(mask_weight=1.0), mask_weight=1.0)
    expected = criterion([alone], targets(instances, size=(3, 4)))
    for name, loss in criterion([padded], targets(instances)).items():
        torch.testing.assert_close(loss, expected[name])


def test_empty_masks_are_no_ground_truth():
    instances = make_instances((16, 24), [(0, 9, 2, 11), (3, 3, 4, 9)], [2, 0], [7, 4])
    assert targets(instances).keys == [(0, 7)]


def test_order_supervision_takes_the_mean_over_frames():
    """Object 7 shows in three frames and object 4 in one; a sum would weigh 7 three times.

    By the mean, 4 gets the slot that both want: it gains 0.5 by it, 7 only 0.4.
    """
    rows = {(0, 7): torch.tensor([0.8, 0.4]), (0, 4): torch.tensor([0.9, 0.4])}
    both, alone = (
        make_instances((16, 24), [(0, 9, 2, 11), (6, 16, 10, 24)][:n], [2, 0][:n], [7, 4][:n])
        for n in (2, 1)
    )
    truth = frames_of_a_clip(both, alone, alone)
    matcher = HungarianMatcher()
    matcher.similarity = lambda _, target: torch.stack([rows[key] for key in target.keys])
    ((objects, slots),) = matcher([predictions(slots=2)], truth)
    assert truth.frames[objects].tolist() == [0, 0, 1, 2]
    assert slots.tolist() == [1, 0, 1, 1]


def test_order_supervision_matches_the_clip_once():
    """An object keeps its slot through the clip, by its mean over the frames where it shows."""
    frames = [predictions(seed=3), predictions(seed=5), predictions(seed=8)]
    both = two_objects()
    only_second = make_instances((16, 24), [(6, 16, 10, 24)], [0], [4])
    shown = (both, only_second, both)
    ((objects, slots),) = HungarianMatcher()([joined(*frames)], frames_of_a_clip(*shown))

    rows = [slow_similarity(p, targets(t)) for p, t in zip(frames, shown, strict=True)]
    mean = torch.stack(((rows[0][0] + rows[2][0]) / 2, (rows[0][1] + rows[1][0] + rows[2][1]) / 3))
    best = max(itertools.permutations(range(4), 2), key=lambda s: mean[0, s[0]] + mean[1, s[1]])
    assert objects.tolist() == [0, 1, 2, 3, 4]
    assert slots.tolist() == [*best, best[1], *best]
    separate = [
        HungarianMatcher()([p], targets(t))[0][1].tolist()
        for p, t in zip(frames, shown, strict=True)
    ]
    assert sum(separate, []) != slots.tolist()


def test_layers_frames_and_clips_at_once_are_each_by_itself():
    """Two layers, two frames of two clips of different sizes: the mean of what each gives alone."""
    small, large = (12, 17), (16, 24)
    shown = [
        [two_objects(small), no_objects(small)],
        [two_objects(large), make_instances(large, [(6, 16, 10, 24)], [0], [4])],
    ]
    clips = [{"instances": of} for of in shown]
    together = batch_targets(clips, STRIDE, (4, 6), torch.device("cpu"))
    assert together.keys == [(0, 7), (0, 4), (1, 7), (1, 4), (1, 4)]
    assert together.frames.tolist() == [0, 0, 1, 1, 3]
    layers = [[predictions(seed=10 * layer + k) for k in range(4)] for layer in range(2)]
    criterion = SetCriterion(matcher=HungarianMatcher(mask_weight=1.0), mask_weight=1.0)
    losses = criterion([joined(*of) for of in layers], together)
    assert list(losses) == [
        *("loss_class_0", "loss_dice_0", "loss_mask_0", "loss_class", "loss_dice", "loss_mask")
    ]
    for suffix, of_layer in zip(("_0", ""), layers, strict=True):
        alone = []
        for b in range(2):
            clip = batch_targets(clips[b : b + 1], STRIDE, (4, 6), torch.device("cpu"))
            alone.append(criterion([joined(of_layer[b], of_layer[2 + b])], clip))
        for name in ("loss_class", "loss_dice", "loss_mask"):
            expected = (alone[0][name] + alone[1][name]) / 2
            torch.testing.assert_close(losses[name + suffix], expected)


def test_one_copy_to_the_host_and_three_to_the_device():
    """Masks, numbers and the pairs of all layers; the similarities of all layers back."""
    counts = []
    for num_clips, num_layers in ((1, 1), (3, 4)):
        size = (16, 24)
        place = torch.ones(size, dtype=torch.bool)
        clips = [
            {"instances": [two_objects(size)] * 2, "exhaustive": False, "ignored": [place] * 2}
            for _ in range(num_clips)
        ]
        layers = [predictions(2 * num_clips, seed=k) for k in range(num_layers)]
        criterion = SetCriterion(matcher=HungarianMatcher(mask_weight=1.0), mask_weight=1.0)
        expected = criterion(layers, batch_targets(clips, STRIDE, (4, 6), torch.device("cpu")))
        there = [SlotPredictions(*map(PretendDevice.tensor, (p.logits, p.masks))) for p in layers]
        with PretendDevice() as device:
            losses = criterion(there, batch_targets(clips, STRIDE, (4, 6), DEVICE))
            counts.append((device.copies_in, device.copies_out))
            assert device.waits == []
            losses = {name: float(loss.cpu()) for name, loss in losses.items()}
        assert losses == pytest.approx({name: float(loss) for name, loss in expected.items()})
    assert counts == [(3, 1), (3, 1)]


def followed(*frames, slots=3):
    """Slot of each object in each frame of a clip; a frame is {identity: similarity to slots}."""
    shown = [
        make_instances((16, 24), [(0, 9, 2, 11)] * len(frame), [0] * len(frame), list(frame))
        for frame in frames
    ]
    truth = frames_of_a_clip(*shown)
    matcher = HungarianMatcher(follow=True)
    rows = torch.tensor([row for frame in frames for row in frame.values()])
    matcher.similarity = lambda _, __: rows
    ((objects, found),) = matcher([predictions(slots=slots)], truth)
    result = [{} for _ in frames]
    for m, slot in zip(objects.tolist(), found.tolist(), strict=True):
        result[truth.numbers[m]][truth.keys[m][1]] = slot
    return result


def test_an_object_keeps_the_slot_of_its_first_frame():
    """Whatever the similarities say later; by the mean, 7 would have slot 1."""
    frames = [{7: [0.6, 0.5, 0.1]}, {7: [0.1, 0.9, 0.1], 4: [0.9, 0.1, 0.2]}, {7: [0.0, 0.9, 0.0]}]
    assert followed(*frames) == [{7: 0}, {7: 0, 4: 2}, {7: 0}]


def test_an_object_that_returns_is_found_again():
    frames = [{7: [0.1, 0.9, 0.1]}, {4: [0.9, 0.5, 0.2]}, {7: [0.9, 0.1, 0.1], 4: [0.1, 0.1, 0.9]}]
    assert followed(*frames) == [{7: 1}, {4: 0}, {7: 1, 4: 0}]


def test_the_slot_of_an_object_that_left_may_be_taken():
    """And who returns then is matched anew."""
    frames = [{7: [0.1, 0.9, 0.1]}, {4: [0.1, 0.9, 0.2]}, {7: [0.1, 0.9, 0.3], 4: [0.9, 0.1, 0.9]}]
    assert followed(*frames) == [{7: 1}, {4: 1}, {7: 2, 4: 1}]


def test_new_objects_share_out_the_free_slots():
    frames = [{7: [0.9, 0.1, 0.1]}, {7: [0.1, 0.9, 0.9], 4: [0.9, 0.5, 0.6], 5: [0.9, 0.1, 0.9]}]
    assert followed(*frames) == [{7: 0}, {7: 0, 4: 1, 5: 2}]
    frames = [{7: [0.9]}, {7: [0.1], 4: [0.9]}, {4: [0.3]}]
    assert followed(*frames, slots=1) == [{7: 0}, {7: 0}, {4: 0}]


def test_clips_of_a_batch_are_followed_each_by_itself():
    clips = [{"instances": [two_objects()] * 2}, {"instances": [two_objects()] * 2}]
    truth = batch_targets(clips, STRIDE, (4, 6), torch.device("cpu"))
    prediction = joined(*(predictions(seed=k) for k in range(4)))
    ((objects, slots),) = HungarianMatcher(follow=True)([prediction], truth)
    assert objects.tolist() == list(range(8))
    alone = []
    for b in range(2):
        one = batch_targets(clips[b : b + 1], STRIDE, (4, 6), torch.device("cpu"))
        of_clip = SlotPredictions(prediction.logits[b::2], prediction.masks[b::2])
        alone.append(HungarianMatcher(follow=True)([of_clip], one)[0][1].tolist())
    assert slots.tolist() == [*alone[0][:2], *alone[1][:2], *alone[0][2:], *alone[1][2:]]
    assert alone[0][:2] == alone[0][2:]
