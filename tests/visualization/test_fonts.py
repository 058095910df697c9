"""Class names that the usual font cannot write."""

import matplotlib
import numpy as np
from matplotlib import font_manager
from pycocotools import mask as mask_util

from rcf_vis.visualization import fonts
from rcf_vis.visualization.fonts import drawable_names, fonts_for
from rcf_vis.visualization.tracks import draw_ground_truth


def test_names_without_a_font_are_numbers(monkeypatch):
    usual = font_manager.findfont(font_manager.FontProperties(family=["sans-serif"]))
    monkeypatch.setattr(fonts, "_characters_of", lambda path: set(map(ord, "abcé")))
    fonts._family_with.cache_clear()
    assert drawable_names(["cab", "é a", "人", "z!"]) == ["cab", "é a", "class 2", "z!"]
    monkeypatch.setattr(
        fonts, "_characters_of", lambda path: set(map(ord, "é" if path == usual else "人é"))
    )
    fonts._family_with.cache_clear()
    assert drawable_names(["人"]) == ["人"]
    with fonts_for(["人"]):
        assert len(matplotlib.rcParams["font.sans-serif"]) > len(
            matplotlib.rcParamsDefault["font.sans-serif"]
        )
    fonts._family_with.cache_clear()


def test_a_picture_is_drawn_without_a_warning(recwarn):
    frame = np.zeros((64, 96, 3), np.uint8)
    mask = {"size": [64, 96], "counts": [0, 64 * 96]}
    rle = mask_util.frPyObjects(mask, 64, 96)
    annotation = {"id": 1, "category_id": 0, "segmentation": rle}
    picture = draw_ground_truth(frame, [annotation], ["\U0001f408 \u4eba \ue000"])
    assert picture.any()
    assert not [w for w in recwarn if "missing from" in str(w.message)]
