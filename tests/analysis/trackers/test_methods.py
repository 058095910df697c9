"""Which identities the masks of a frame get, by our rules and by the package's trackers."""

import pytest

from rcf_vis.analysis.trackers.methods import Method, our_methods, package_methods
from rcf_vis.tracking import IdentityRules

from .detected import frame, image

pytest.importorskip("trackers")

A, B = (0, 5, 0.9, 0), (3, 70, 0.8, 1)


def _method(name):
    methods = [*package_methods(), *our_methods(IdentityRules(), carries_code=False)]
    (found,) = (method for method in methods if method.name == name)
    return found


def _identities(name, frames, **settings):
    method = _method(name)
    step = method.start(**{**method.defaults, **settings})
    return [step(f, image() if method.needs_images else None) for f in frames]


def test_all_trackers_are_there_with_their_grids():
    names = [method.name for method in package_methods()]
    assert names == ["SORT", "ByteTrack", "OC-SORT", "BoT-SORT"]
    ours = our_methods(IdentityRules(iou_thresh=0.7, max_age=9), carries_code=True)
    assert [m.name for m in ours] == [
        "IoU",
        "RCF, slots, carried code",
        "RCF, slots and IoU, carried code",
    ]
    assert ours[2].defaults == {"iou_thresh": 0.7, "max_age": 9}
    assert [len(m.all_settings()) for m in package_methods()] == [12, 16, 16, 16]


@pytest.mark.parametrize(
    "name", ["SORT", "ByteTrack", "OC-SORT", "BoT-SORT", "IoU", "RCF, slots", "RCF, slots and IoU"]
)
def test_two_objects_that_stand_still_keep_two_identities(name):
    found = _identities(name, [frame(A, B)] * 8)
    one, other = found[-1]
    assert one != other and min(one, other) >= 0
    assert all(ids in ([one, other], [-1, -1]) for ids in found)
    assert found[3:] == [[one, other]] * 5


def test_identities_are_those_of_the_instances_in_their_order():
    """ByteTrack gives the sure ones first."""
    unsure = (0, 5, 0.5, 0)
    frames = [frame(A, B)] * 3 + [frame(unsure, B)] * 2
    found = _identities("ByteTrack", frames, minimum_consecutive_frames=1)
    assert found[2] == found[3] == found[4]


def test_exchanged_slots_tell_the_rules_apart():
    frames = [frame(A, B)] * 2 + [frame((0, 70, 0.8, 1), (3, 5, 0.9, 0))]
    assert _identities("RCF, slots", frames)[-1] == [0, 1]
    assert _identities("IoU", frames)[-1] == [1, 0]
    assert _identities("RCF, slots and IoU", frames)[-1] == [1, 0]
    assert _identities("RCF, slots and IoU", frames, iou_thresh=1.0)[-1] == [0, 1]


@pytest.mark.parametrize("name", ["SORT", "ByteTrack", "BoT-SORT"])
def test_an_object_that_is_gone_for_40_frames_is_the_same_with_a_buffer_of_60(name):
    frames = [frame(A, B)] * 5 + [frame(B)] * 40 + [frame(A, B)] * 5
    for buffer, same in ((30, False), (60, True)):
        found = _identities(name, frames, lost_track_buffer=buffer)
        assert (found[4][0] == found[-1][0]) is same
        assert found[4][1] == found[-1][1]


def test_frames_without_an_object():
    for name in ("SORT", "OC-SORT", "BoT-SORT", "RCF, slots and IoU"):
        assert _identities(name, [frame()] * 2) == [[], []]


def test_every_point_of_a_grid_with_the_defaults():
    method = Method("x", None, {"a": (1, 2), "b": (True, False)}, {"a": 5, "c": 7})
    settings = method.all_settings()
    assert len(settings) == 4 and settings[1] == {"a": 1, "b": False, "c": 7}
