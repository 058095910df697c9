"""INPUT.FAST_DECODE: frames read at the size drawn; the same masks, nearly the same pixels."""

from itertools import product

import cv2
import numpy as np
import pytest
import torch
from detectron2.data import transforms as T
from PIL import Image

from rcf_vis.data import ClipDatasetMapper, DatasetError
from rcf_vis.data.frames import read_frame, read_resized_frame

WHERE = {"height": 180, "width": 320, "video_id": 7}


def picture(height=180, width=320):
    noise = np.random.default_rng(0).integers(0, 256, (height // 10, width // 10, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def jpeg(tmp_path):
    path = tmp_path / "frame.jpg"
    Image.fromarray(picture()).save(path, quality=95)
    return path


@pytest.mark.parametrize("size", [(90, 160), (45, 80), (120, 213), (100, 200), (250, 444)])
@pytest.mark.parametrize("image_format", ["RGB", "BGR"])
def test_near_to_pillows_resize(jpeg, size, image_format):
    whole = read_frame(str(jpeg), image_format=image_format, **WHERE)
    resize = T.ResizeTransform(180, 320, *size, Image.BILINEAR)
    found = read_resized_frame(str(jpeg), image_format=image_format, size=size, **WHERE)
    assert found.shape == (*size, 3) and found.dtype == np.uint8
    difference = np.abs(found.astype(int) - resize.apply_image(whole))
    assert difference.mean() < (4 if size[0] <= 90 else 0.01)  # the picture has hard edges
    if size[0] > 90:  # decoded at full scale
        assert difference.max() <= 1


def test_a_jpeg_is_decoded_at_a_half(jpeg, monkeypatch):
    seen = []
    monkeypatch.setattr(np, "array", lambda image, f=np.array: seen.append(image.size) or f(image))
    for size in ((90, 160), (91, 160), (45, 80), (20, 30)):
        read_resized_frame(str(jpeg), image_format="RGB", size=size, **WHERE)
    assert seen == [(160, 90), (320, 180), (80, 45), (40, 23)]


@pytest.mark.parametrize("kind", ["png", "grey", "turned"])
def test_other_images_are_as_before(tmp_path, kind):
    path, image = tmp_path / ("frame.png" if kind == "png" else "frame.jpg"), picture()
    options = {}
    if kind == "grey":
        image = image[:, :, 0]
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        options, image = {"exif": exif}, picture(320, 180)
    Image.fromarray(image).save(path, **options)
    whole = read_frame(str(path), image_format="RGB", **WHERE)
    resize = T.ResizeTransform(180, 320, 90, 160, Image.BILINEAR)
    found = read_resized_frame(str(path), image_format="RGB", size=(90, 160), **WHERE)
    assert np.abs(found.astype(int) - resize.apply_image(whole)).max() <= 1


def test_broken_exif_is_no_broken_picture(jpeg, monkeypatch):
    def broken(_):
        raise SyntaxError("not a TIFF file (header b'' not valid)")

    plain = read_resized_frame(str(jpeg), image_format="RGB", size=(120, 213), **WHERE)
    monkeypatch.setattr(Image.Image, "getexif", broken)
    found = read_resized_frame(str(jpeg), image_format="RGB", size=(120, 213), **WHERE)
    assert np.array_equal(found, plain)


def test_bad_frames_are_named(jpeg, tmp_path):
    options = {"image_format": "RGB", "size": (90, 160)}
    with pytest.raises(DatasetError, match="320x180 pixels .* expected 64x48"):
        read_resized_frame(str(jpeg), height=48, width=64, video_id=7, **options)
    with pytest.raises(FileNotFoundError, match=r"video 7, frame .*gone.jpg: no such file"):
        read_resized_frame(str(tmp_path / "gone.jpg"), **WHERE, **options)
    jpeg.write_bytes(jpeg.read_bytes()[:2000])
    with pytest.raises(DatasetError, match="frame.jpg: the image cannot be read"):
        read_resized_frame(str(jpeg), **WHERE, **options)


def settings(cfg, resize, flip):
    cfg.INPUT.RANDOM_FLIP, cfg.MODEL.RCF.ORDER_SUPERVISION = flip, True
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (24, 33, 48, 60), 75
    if resize == "range":
        cfg.INPUT.MIN_SIZE_TRAIN_SAMPLING, cfg.INPUT.MIN_SIZE_TRAIN = "range", (20, 60)
    if resize == "none":
        cfg.INPUT.MIN_SIZE_TRAIN = (0,)
    if resize == "lsj":
        cfg.INPUT.LSJ.ENABLED, cfg.INPUT.LSJ.SIZE = True, [40, 56]
        cfg.INPUT.LSJ.MIN_SCALE = 0.3
    if resize == "crop":
        cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = (
            True,
            "absolute",
            [32, 40],
        )


@pytest.mark.parametrize(
    ("resize", "flip"),
    list(product(("choice", "range", "none", "lsj", "crop"), ("none", "horizontal", "vertical"))),
)
def test_the_same_clips_and_masks(load, cfg, resize, flip):
    """png, so the pictures are the same but for the rounding of the resize."""
    record = load(lengths=(5,))[0]
    settings(cfg, resize, flip)
    samples = []
    for fast in (True, False):
        cfg.INPUT.FAST_DECODE = fast
        mapper = ClipDatasetMapper(cfg, is_train=True)
        np.random.seed(0)
        samples.append([mapper(record) for _ in range(12)])
    sizes = set()
    for found, expected in zip(*samples, strict=True):
        assert found["file_names"] == expected["file_names"]
        for got, want in zip(found["image"], expected["image"], strict=True):
            assert got.shape == want.shape and got.dtype == torch.uint8
            assert (got.int() - want.int()).abs().max() <= 1
            assert got.is_contiguous()
            sizes.add(tuple(got.shape[1:]))
        for got, want in zip(found["instances"], expected["instances"], strict=True):
            assert torch.equal(got.gt_masks.tensor, want.gt_masks.tensor)
            assert torch.equal(got.gt_ids, want.gt_ids)
            assert torch.equal(got.gt_classes, want.gt_classes)
    assert len(sizes) > 1 or resize in ("none", "crop")


def test_what_is_pasted_into_is_read_whole(load, cfg):
    """A copy-paste needs the frames and masks at their own size."""
    cfg.INPUT.MIN_SIZE_TRAIN = (24,)
    mapper = ClipDatasetMapper(cfg, is_train=True)
    clip = mapper._video_clip(load()[0], with_all_masks=True)
    assert clip.frames[0].shape == (48, 64, 3) and clip.augmentations == mapper.augmentations
    clip = mapper._video_clip(load()[0], with_all_masks=False)
    assert clip.frames[0].shape == (24, 32, 3) and clip.augmentations == mapper.augmentations[1:]
    assert clip.masks[-1][0].shape == (24, 32)
