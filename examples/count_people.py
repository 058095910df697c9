#!/usr/bin/env python
"""Count the people in two videos, by one model: python examples/count_people.py [video video]"""

import sys
from collections import Counter
from itertools import zip_longest
from pathlib import Path

from rcf_vis import StreamPool
from rcf_vis.config import read_config
from rcf_vis.inference.video_io import open_frames

ROOT = Path(__file__).resolve().parents[1]
videos = sys.argv[1:] or [
    str(ROOT / f"examples/clips/{name}.mp4") for name in ("parking", "worker")
]
config = str(ROOT / "configs/real/rcf_lite.yaml")
pool = StreamPool(read_config(config, ["MODEL.DEVICE", "cpu"]))
person = pool.metadata.thing_classes.index("person")
seen = {video: Counter() for video in videos}  # identity → frames in which it was a person
for video in videos:
    pool.join(video)
for frames in zip_longest(*map(open_frames, videos)):
    due = {video: frame for video, frame in zip(videos, frames, strict=True) if frame is not None}
    for video, found in pool.step(due).instances.items():
        seen[video].update(found.track_ids[found.pred_classes == person].tolist())
for video in videos:
    print(f"{Path(video).name}: {sum(count >= 5 for count in seen[video].values())} people")
