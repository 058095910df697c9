"""What a frame copies to a GPU and back, counted on one that need not be there."""

import numpy as np
import pytest
import torch

from rcf_vis import OnlinePredictor
from rcf_vis.config import read_config
from tests.pretend_device import PretendDevice
from tests.scripts import ROOT


@pytest.mark.parametrize("config", ["real/rcf_lite", "synthvis/rcf_tiny_av"])
@pytest.mark.parametrize("thresh", [0.0, 1.0])
def test_one_copy_to_the_gpu_and_two_back(config, thresh):
    """The frame; then what says which slots fire, and the masks of those that do."""
    opts = ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "MODEL.RCF.TEST.SCORE_THRESH", thresh]
    cfg = read_config(str(ROOT / f"configs/{config}.yaml"), opts)
    host, there = OnlinePredictor(cfg), OnlinePredictor(cfg)
    there.model.load_state_dict(host.model.state_dict())
    device = PretendDevice()
    device.move(there.model)
    frames = np.random.default_rng(0).integers(0, 256, (4, 180, 320, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        expected = host(frame)
        with device:
            device.reset()
            found = there(frame)
        if number:
            assert device.copies_in == 1
        assert device.copies_out == (2 if thresh == 0 else 1) and device.waits == []
        assert len(found) == len(expected) == (0 if thresh else cfg.MODEL.RCF.NUM_OBJECT_QUERIES)
        torch.testing.assert_close(found.class_probs, expected.class_probs, atol=0.01, rtol=0.01)
        assert torch.equal(found.track_ids, expected.track_ids)
        if len(found):  # a pixel of the resized frame may differ by 1
            assert (found.pred_masks != expected.pred_masks).float().mean() < 0.01
