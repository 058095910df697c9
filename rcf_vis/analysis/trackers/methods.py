"""Ways to give the masks of a frame their identities: our rules, and those of ``trackers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from detectron2.structures import Instances

from rcf_vis.errors import extra
from rcf_vis.tracking import IdentityRules, IdentityState, assign_identities, box_masks_of

__all__ = ["Method", "our_methods", "package_methods"]

#: The next frame of a video, its instances and its image, to an identity each; −1 = none.
Step = Callable[[Instances, np.ndarray | None], list[int]]


@dataclass(frozen=True)
class Method:
    """A way to track.

    Attributes:
        name: for tables.
        start: a new video; it takes the settings.
        grid: of each setting the values that tuning tries.
        defaults: settings where nothing is tuned.
        needs_images: its steps look at the image.
    """

    name: str
    start: Callable[..., Step]
    grid: Mapping[str, Sequence[Any]]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs_images: bool = False

    def all_settings(self) -> list[dict[str, Any]]:
        """Every point of the grid, beside what else the defaults say."""
        points = product(*self.grid.values())
        return [{**self.defaults, **dict(zip(self.grid, point, strict=True))} for point in points]


def our_methods(rules: IdentityRules, *, carries_code: bool) -> list[Method]:
    """The IoU of masks alone, slots alone, and both, which are the paper's two rules.

    Args:
        rules: of the model, which are the defaults of both.
        carries_code: the model hands on the instance code; said in the names.
    """
    more = ", carried code" if carries_code else ""
    iou = {"slot_identity": False, "iou_thresh": rules.iou_thresh}
    slot = {"iou_identity": False, "max_age": rules.max_age}
    both = {"iou_thresh": rules.iou_thresh, "max_age": rules.max_age}
    ages = (0, 15, 60)
    return [
        Method("IoU", _by_rules, {"iou_thresh": (0.1, 0.3, 0.5, 0.7)}, iou),
        Method(f"RCF, slots{more}", _by_rules, {"max_age": ages}, slot),
        Method(
            f"RCF, slots and IoU{more}",
            _by_rules,
            {"iou_thresh": (0.3, 0.5, 0.6, 0.7, 0.8, 0.9), "max_age": ages},
            both,
        ),
    ]


def package_methods() -> list[Method]:
    """SORT, ByteTrack, OC-SORT and BoT-SORT of the package ``trackers``, Apache-2.0.

    A frame counts as one of 30 a second, for which their defaults are made.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    with extra("trackers"):
        import trackers
    buffers = {"lost_track_buffer": (30, 60)}
    confident = {"track_activation_threshold": (0.4, 0.7)}
    return [
        Method(
            "SORT",
            partial(_by_tracker, trackers.SORTTracker),
            {
                **buffers,
                "minimum_iou_threshold": (0.1, 0.3, 0.5),
                "minimum_consecutive_frames": (1, 3),
            },
        ),
        Method(
            "ByteTrack",
            partial(_by_tracker, trackers.ByteTrackTracker),
            {
                **buffers,
                **confident,
                "minimum_iou_threshold": (0.1, 0.3),
                "minimum_consecutive_frames": (1, 2),
            },
        ),
        Method(
            "OC-SORT",
            partial(_by_tracker, trackers.OCSORTTracker),
            {
                **buffers,
                "high_conf_det_threshold": (0.4, 0.6),
                "minimum_iou_threshold": (0.1, 0.3),
                "minimum_consecutive_frames": (1, 3),
            },
        ),
        Method(
            "BoT-SORT",
            partial(_by_tracker, trackers.BoTSORTTracker),
            {
                **buffers,
                **confident,
                "minimum_iou_threshold_first_assoc": (0.1, 0.2),
                "minimum_consecutive_frames": (1, 2),
            },
            needs_images=True,
        ),
    ]


def _by_rules(**settings: Any) -> Step:
    rules, state = IdentityRules(**settings), IdentityState()

    def step(instances: Instances, image: np.ndarray | None) -> list[int]:
        nonlocal state
        slots, masks = instances.slots.tolist(), box_masks_of(instances)
        identities, state = assign_identities(slots, masks, state, rules)
        return identities

    return step


def _by_tracker(tracker_class: type, **settings: Any) -> Step:
    from supervision import Detections

    tracker = tracker_class(**settings)

    def step(instances: Instances, image: np.ndarray | None) -> list[int]:
        detections = Detections(
            xyxy=instances.pred_boxes.tensor.numpy().astype(np.float32),
            confidence=instances.scores.numpy(),
            class_id=instances.pred_classes.numpy(),
            data={"place": np.arange(len(instances))},  # trackers change the order
        )
        tracked = tracker.update(detections, image)
        identities = [-1] * len(instances)
        places = tracked.data.get("place", ())
        for place, identity in zip(places, tracked.tracker_id, strict=True):
            identities[int(place)] = int(identity)
        return identities

    return step
