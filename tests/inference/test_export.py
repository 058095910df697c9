"""Files of a predictor's step: the same numbers, and a description of the model."""

import hashlib
import json

import pytest
import torch
from detectron2.data import Metadata

import rcf_vis
from rcf_vis import OnlinePredictor
from rcf_vis.inference import export
from rcf_vis.modeling import OnlineState
from rcf_vis.runtime import ModelDescription


def predictor_of(cfg, **settings):
    torch.manual_seed(0)
    return OnlinePredictor(cfg, **settings)


def test_a_program_of_torch_export(patch_cfg, tmp_path):
    patch_cfg.MODEL.RCF.CARRY_CODE = True
    predictor = predictor_of(patch_cfg)
    export.export_program(predictor, tmp_path / "step.pt2", (45, 80))
    files = {"rcf_vis": ""}
    program = torch.export.load(str(tmp_path / "step.pt2"), extra_files=files).module()
    description = ModelDescription.from_json(files["rcf_vis"], "step.pt2")
    assert description.input_size == (54, 96)
    shapes = {name: (1, 5) for name in description.state}
    shapes |= {"frames": (1,), "reference_0": (1, 24, 2, 3)}
    shapes |= {"carried_code": (1, 5, 32), "carried_place": (1, 5, 4)}
    state, past = [torch.zeros(shapes[name]) for name in description.state], OnlineState()
    state[0] = state[0].long()
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        image = torch.randint(0, 256, (3, 54, 96), dtype=torch.uint8, generator=generator)
        expected, past = predictor.model._frame_output(image, past, None)
        logits, masks, *state = program(image, *state)
        torch.testing.assert_close(logits, expected.logits)
        torch.testing.assert_close(masks, expected.masks)


def test_the_description(patch_cfg):
    patch_cfg.MODEL.RCF.TEST.MAX_AGE, patch_cfg.INPUT.FORMAT = 7, "BGR"
    predictor = predictor_of(patch_cfg, precision="bf16")
    predictor.metadata = Metadata(
        thing_classes=["a", "b", "c"], thing_dataset_id_to_contiguous_id={9: 1, 4: 0, 5: 2}
    )
    step, description = export._prepared(predictor, (100, 100))
    assert description.class_names == ("a", "b", "c") and description.category_ids == (4, 9, 5)
    assert description.input_size == (64, 64) and description.input_format == "BGR"
    assert (description.min_size, description.max_size) == (64, 96)
    assert description.pixel_mean == (120.0,) * 3 and description.pixel_std == (60.0,) * 3
    assert description.precision == "bf16" and description.stride == 4
    assert description.identity_rules.max_age == 7 and description.audio_shape is None
    assert description.version == rcf_vis.__version__
    assert description.state == ("frames", "reference_0")
    digest = hashlib.sha256(patch_cfg.dump().encode()).hexdigest()
    assert description.config_digest == digest
    assert ModelDescription.from_json(description.to_json(), "a file") == description
    predictor.metadata = None
    assert export.describe_export(predictor, (64, 64), step).class_names is None


def test_what_is_no_description():
    def read(text):
        return ModelDescription.from_json(text, "x.onnx")

    with pytest.raises(ValueError, match="x.onnx has no metadata 'rcf_vis': expected a file that"):
        read(None)
    with pytest.raises(ValueError, match="x.onnx: its metadata 'rcf_vis' are no json"):
        read("{")
    for text in ("[]", json.dumps({"form": 2})):
        with pytest.raises(ValueError, match=r"have the form (None|2), expected 1: .* version"):
            read(text)
    with pytest.raises(ValueError, match="x.onnx: its metadata 'rcf_vis' lack audio_shape, cat"):
        read(json.dumps({"form": 1}))


def test_bf16_is_none_of_onnx(patch_cfg, tmp_path):
    with pytest.raises(ValueError, match="--precision.* is 'bf16', .* expected one of"):
        export.export_onnx(predictor_of(patch_cfg, precision="bf16"), tmp_path / "x.onnx", (45, 80))
