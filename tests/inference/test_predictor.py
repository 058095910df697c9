import copy
import threading

import numpy as np
import pytest
import torch
from detectron2.structures import Instances

from rcf_vis import OnlinePredictor
from rcf_vis.checkpoint import save_bare_weights


@pytest.fixture
def predictor(patch_cfg):
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    return OnlinePredictor(patch_cfg)


def frame(seed=0, size=(70, 100)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_instances_at_the_frame_size(predictor):
    instances = predictor(frame())
    assert isinstance(instances, Instances)
    assert instances.image_size == (70, 100)
    assert instances.pred_masks.dtype == torch.bool
    assert instances.pred_masks.shape == (5, 70, 100)
    assert {"pred_boxes", "pred_classes", "scores", "track_ids"} <= set(instances.get_fields())
    assert all(value.device.type == "cpu" for value in instances.get_fields().values())


def test_the_past_matters_and_reset_forgets_it(predictor):
    fresh = predictor(frame(1))
    predictor.reset()
    predictor(frame(0))
    after = predictor(frame(1))
    assert not torch.equal(after.class_probs, fresh.class_probs)
    predictor.reset()
    again = predictor(frame(1))
    assert torch.equal(again.pred_boxes.tensor, fresh.pred_boxes.tensor)
    for name in fresh.get_fields().keys() - {"pred_boxes"}:
        assert torch.equal(again.get(name), fresh.get(name)), name


def test_names_of_the_classes(patch_cfg, predictor, tmp_path):
    """Of the test set; without one, those that the weights carry; or none."""
    assert predictor.metadata is None
    weights = str(tmp_path / "named.safetensors")
    names = [f"class {number}" for number in range(patch_cfg.MODEL.RCF.NUM_CLASSES)]
    save_bare_weights({"model": predictor.model.state_dict(), "class_names": names}, weights)
    patch_cfg.MODEL.WEIGHTS = weights
    metadata = OnlinePredictor(patch_cfg).metadata
    assert metadata.thing_classes == names
    assert metadata.thing_dataset_id_to_contiguous_id == {
        number + 1: number for number in range(len(names))
    }
    patch_cfg.DATASETS.TEST = ("not_there",)
    assert OnlinePredictor(patch_cfg).metadata.thing_classes == names
    save_bare_weights({"model": predictor.model.state_dict(), "class_names": ["a"]}, weights)
    with pytest.raises(ValueError, match="NUM_CLASSES is .*MODEL.WEIGHTS has 1 classes"):
        OnlinePredictor(patch_cfg)
    patch_cfg.DATASETS.TEST = ("ytvis_2019_val",)
    with pytest.raises(ValueError, match="weights of other classes|'ytvis_2019_val' has 40"):
        OnlinePredictor(patch_cfg)


def test_new_size_needs_a_reset(predictor):
    predictor(frame())
    with pytest.raises(ValueError, match=r"\(60, 90, 3\) follows frames of shape \(70, 100, 3\)"):
        predictor(frame(size=(60, 90)))
    predictor.reset()
    assert predictor(frame(size=(60, 90))).image_size == (60, 90)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 4, 3), dtype=np.float32), "array of uint8, got ndarray of float32"),
        ([[1, 2]], "array of uint8, got list"),
        (np.zeros((4, 4), dtype=np.uint8), r"\(H, W, 3\), got \(4, 4\)"),
        (np.zeros((4, 4, 4), dtype=np.uint8), r"\(H, W, 3\), got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), dtype=np.uint8), r"\(H, W, 3\), got \(0, 4, 3\)"),
    ],
)
def test_what_is_no_frame(predictor, bad, message):
    with pytest.raises(ValueError, match=message):
        predictor(bad)
    assert len(predictor(frame())) == 5  # a refused frame leaves the video as it was


def test_colour_order_follows_the_config(patch_cfg, predictor):
    torch.manual_seed(0)
    patch_cfg.INPUT.FORMAT = "BGR"
    other = OnlinePredictor(patch_cfg)
    other.model.load_state_dict(predictor.model.state_dict())
    swapped = other(np.ascontiguousarray(frame()[:, :, ::-1]))
    torch.testing.assert_close(swapped.class_probs, predictor(frame()).class_probs)
    patch_cfg.INPUT.FORMAT = "L"
    with pytest.raises(ValueError, match="INPUT.FORMAT is 'L'"):
        OnlinePredictor(patch_cfg)


def test_a_user_can_write_into_the_predictions(predictor):
    instances = predictor(frame())
    instances.pred_masks.fill_(True)
    instances.scores.add_(1)
    assert not instances.scores.is_inference()


def test_two_threads_at_once_are_an_error_and_lose_nothing(predictor, monkeypatch):
    inside, goes_on, results = threading.Event(), threading.Event(), []
    track = predictor.model.track

    def slow(*args):
        inside.set()
        assert goes_on.wait(10)
        return track(*args)

    monkeypatch.setattr(predictor.model, "track", slow)
    thread = threading.Thread(target=lambda: results.append(predictor(frame(0))))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(RuntimeError, match="two threads at once: .* one StreamPool"):
        predictor(frame(1))
    goes_on.set()
    thread.join(10)
    after = predictor(frame(1))
    predictor.reset()
    predictor(frame(0))
    assert len(results) == 1 and torch.equal(after.class_probs, predictor(frame(1)).class_probs)
    copy.deepcopy(predictor)(frame(2))
