#!/usr/bin/env python
"""Count the vehicles that cross a line: python examples/count_vehicles.py [video]

The line is a horizontal one in the middle. Needs supervision: pip install 'rcf_vis[supervision]'
"""

import sys
from pathlib import Path

import supervision as sv

from rcf_vis import OnlinePredictor, to_supervision
from rcf_vis.config import read_config
from rcf_vis.inference.video_io import open_frames

ROOT = Path(__file__).resolve().parents[1]
video = open_frames(sys.argv[1] if sys.argv[1:] else ROOT / "examples/clips/parking.mp4")
config = str(ROOT / "configs/real/rcf_lite.yaml")
predictor = OnlinePredictor(read_config(config, ["MODEL.DEVICE", "cpu"]))
ends = sv.Point(0, video.height // 2), sv.Point(video.width, video.height // 2)
line = sv.LineZone(*ends, [sv.Position.CENTER], minimum_crossing_threshold=3)
for frame in video:
    detections = to_supervision(predictor(frame), predictor.metadata.thing_classes)
    line.trigger(detections[detections["class_name"] == "vehicle"])
print(f"{line.in_count} in, {line.out_count} out")
