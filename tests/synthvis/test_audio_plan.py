"""Who sounds, who pulses, who looks like whom; the shares; plain SynthVIS is left as it was."""

from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest

from rcf_vis.synthvis import (
    AUDIO_CATEGORIES,
    LOOKALIKE_PAIRS,
    SynthVISAudioSpec,
    SynthVISSpec,
    render_video,
)
from rcf_vis.synthvis.audio_plan import Pulse, plan_audio
from rcf_vis.synthvis.camera import Camera
from rcf_vis.synthvis.plan import plan_video
from rcf_vis.synthvis.render import _Painter
from rcf_vis.synthvis.scene import plan_scene

PAIRED = {category for pair in LOOKALIKE_PAIRS for category in pair}
TWIN = {a: b for pair in LOOKALIKE_PAIRS for a, b in (pair, pair[::-1])}


@lru_cache
def _scenes():
    """Scenes as they are before their objects get voices."""
    return [plan_scene(SynthVISAudioSpec(), np.random.default_rng(k)) for k in range(60)]


def _plans(count, **fields):
    """Voices for the scenes, which are gone through as often as need be."""
    spec, rng = SynthVISAudioSpec(**fields), np.random.default_rng(0)
    pairs = [plan_audio(spec, _scenes()[k % 60], rng) for k in range(count)]
    return [SimpleNamespace(scene=scene, audio=audio) for scene, audio in pairs]


def _categories(plan):
    return [track.category for track in plan.scene.tracks]


def _has_twins(plan):
    categories = set(_categories(plan))
    return any(TWIN.get(category) in categories for category in categories)


def test_plain_synthvis_is_drawn_with_the_numbers_that_it_always_had():
    spec = SynthVISSpec(width=96, height=64, length=3)
    seed = np.random.SeedSequence([0, 1, 5])
    plan_rng, look_rng, camera_rng = (np.random.default_rng(s) for s in seed.spawn(3))
    scene, camera = plan_scene(spec, plan_rng), Camera(spec, camera_rng)
    painter = _Painter(spec, scene, look_rng)
    expected = [camera(painter.paint(t)[0], t) for t in range(3)]
    frames, annotations = render_video(spec, "val", 5)
    assert (np.array(frames) == np.array(expected)).all()
    assert not any("sounds" in annotation for annotation in annotations)
    categories = [
        _categories(plan_video(SynthVISSpec(), split, index))
        for split, index in (("train", 0), ("train", 1), ("val", 0), ("val", 7))
    ]
    assert categories == [[4, 4, 3, 3], [9, 3, 3], [4, 5, 9, 8], [2, 0, 8]]


def test_description_of_plain_synthvis_is_what_it_always_was():
    assert SynthVISSpec().describe_split("train") == {
        "width": 320, "height": 192, "length": 20, "num_videos": 2000, "split": "train", "seed": 0,
        "objects_per_video": [2, 4], "object_size": [0.34, 0.6], "min_pixels": 16,
        "crossing_share": 0.4, "return_share": 0.3, "jpeg_quality": 85, "generator_version": 2,
        "difficulty": 0.2, "noise": 0.2, "blur": 0.2, "occlusion": 0.2, "flicker": 0.2,
        "contrast": 0.2,
    }  # fmt: skip


def test_ten_categories_of_seven_looks():
    looks = SynthVISAudioSpec.looks
    assert len(AUDIO_CATEGORIES) == len(looks) == 10 and len(set(looks)) == 7
    assert LOOKALIKE_PAIRS == ((0, 1), (5, 6), (8, 9))
    assert all(looks[a] == looks[b] for a, b in LOOKALIKE_PAIRS)
    # at the place that the look has in plain SynthVIS, for the sake of its weights
    plain = SynthVISSpec.looks
    assert [i for i in range(10) if looks[i] == plain[i]] == [0, 2, 4, 6, 7, 9]


def test_the_eye_cannot_tell_look_alikes():
    """What they are drawn with is distributed alike."""
    plans = _plans(1000, lookalike_share=1.0, twins_share=0.3)
    for a, b in LOOKALIKE_PAIRS:
        drawn = []
        for category in (a, b):
            tracks = [t for p in plans for t in p.scene.tracks if t.category == category]
            numbers = [
                (t.size.mean(), t.glow.max(), t.glow.mean(), t.angle[0], t.tilt[0], *t.centre[0])
                for t in tracks
            ]
            drawn.append(np.array(numbers))
        one, other = drawn
        assert 0.85 < len(one) / len(other) < 1.18
        error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
        assert (np.abs(one.mean(axis=0) - other.mean(axis=0)) < 4 * error).all()


def test_a_video_of_the_other_twins_is_the_same_to_the_eye():
    spec = SynthVISAudioSpec(width=96, height=64, length=3, lookalike_share=1.0)
    for plan in (plan_video(spec, "train", index) for index in range(3)):
        tracks = [replace(t, category=TWIN[t.category]) for t in plan.scene.tracks]
        painters = [
            _Painter(spec, scene, np.random.default_rng(0))
            for scene in (plan.scene, replace(plan.scene, tracks=tracks))
        ]
        for t in range(3):
            (image, masks), (other_image, other_masks) = (painter.paint(t) for painter in painters)
            assert (image == other_image).all()
            assert (np.array(masks) == np.array(other_masks)).all()


def test_shares_are_kept():
    plans = _plans(1600)
    several = [p for p in plans if len(p.scene.tracks) > 1]
    assert np.mean([_has_twins(p) for p in several]) == pytest.approx(0.25, abs=0.03)
    assert np.mean([p.audio.offscreen is not None for p in plans]) == pytest.approx(0.25, abs=0.03)
    assert np.mean([p.audio.noise > 0 for p in plans]) == pytest.approx(0.5, abs=0.035)
    alone = [p for p in plans if not _has_twins(p)]
    kinds = [category for p in alone for category in set(_categories(p))]
    silent = [
        category
        for p in alone
        for category in {
            t.category for t, v in zip(p.scene.tracks, p.audio.voices, strict=True) if v is None
        }
    ]
    drawn = [category for p in alone for category in _categories(p)]
    assert np.mean([c in PAIRED for c in drawn]) == pytest.approx(0.6, abs=0.04)
    assert len(silent) / len(kinds) == pytest.approx(0.15, abs=0.02)
    quiet = [
        t for p in plans for t, v in zip(p.scene.tracks, p.audio.voices, strict=True) if v is None
    ]
    assert np.mean([t.glow.max() > 0 for t in quiet]) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    "name,holds",
    [
        ("lookalike_share", lambda p: PAIRED.issuperset(_categories(p))),
        ("twins_share", lambda p: _has_twins(p) or len(p.scene.tracks) < 2),
        ("silent_share", lambda p: all(v is None for v in p.audio.voices) or _has_twins(p)),
        ("decoy_share", lambda p: all(t.glow.max() > 0.8 for t in p.scene.tracks)),
        ("offscreen_share", lambda p: p.audio.offscreen is not None),
        ("noise_share", lambda p: 0.001 <= p.audio.noise <= 0.02),
    ],
)
def test_a_share_of_one_is_always_and_of_zero_never(name, holds):
    extra = {"silent_share": 0.9} if name == "decoy_share" else {}
    assert all(map(holds, _plans(120, **{**extra, name: 1.0})))
    never = _plans(120, **{**extra, name: 0.0})
    if name == "lookalike_share":
        assert not any(PAIRED.intersection(_categories(p)) for p in never)
    elif name == "silent_share":
        assert all(None not in p.audio.voices or _has_twins(p) for p in never)
    elif name == "decoy_share":
        for p in never:
            for track, voice in zip(p.scene.tracks, p.audio.voices, strict=True):
                assert (track.glow.max() > 0) == (voice is not None)
    else:
        assert not any(holds(p) and len(p.scene.tracks) > 1 for p in never)


def test_of_twins_one_sounds_and_all_of_a_category_do_the_same():
    plans = _plans(300, twins_share=0.5, decoy_share=1.0)
    pairs_seen = 0
    for plan in plans:
        heard = {}
        for track, voice in zip(plan.scene.tracks, plan.audio.voices, strict=True):
            assert voice is None or voice.category == track.category
            heard.setdefault(track.category, set()).add(voice is not None)
        assert all(len(both) == 1 for both in heard.values())
        for a, b in LOOKALIKE_PAIRS:
            if a in heard and b in heard:
                pairs_seen += 1
                assert heard[a] != heard[b]
                glow = {t.category: t.glow for t in plan.scene.tracks}
                if len(plan.scene.tracks) == 2:
                    assert np.corrcoef(glow[a], glow[b])[0, 1] < -0.9
        if plan.audio.offscreen is not None:
            looks = SynthVISAudioSpec.looks
            seen = {looks[category] for category in _categories(plan)}
            assert looks[plan.audio.offscreen.category] not in seen
    assert pairs_seen > 60


def test_pulse_is_sampled_well_and_swells_the_object():
    pulse = Pulse(period=0.8, phase=0.25)
    exact = [np.mean(pulse(np.linspace(t / 6, (t + 1) / 6, 4001))) for t in range(5)]
    assert pulse.shown(5, 6.0) == pytest.approx(exact, abs=1e-3)
    assert pulse(np.array([0.2, 0.6])) == pytest.approx([1.0, 0.0])
    for number, plan in enumerate(_plans(50)):
        plain = _scenes()[number]
        for track, before, voice in zip(
            plan.scene.tracks, plain.tracks, plan.audio.voices, strict=True
        ):
            assert track.size == pytest.approx(before.size * (1 + 0.1 * track.glow))
            if voice is not None:
                # 3.3 s and periods of at most 0.96 s: three beats or more
                assert 4 <= voice.pulse.period * 6 <= 6
                assert track.glow.max() > 0.85 and track.glow.min() < 0.15


@pytest.mark.parametrize(
    "name,value",
    [("twins_share", 1.5), ("noise_share", None), ("frame_rate", 0), ("frame_rate", "6")],
)
def test_bad_field_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        SynthVISAudioSpec(**{name: value})


def test_description_round_trips():
    spec = SynthVISAudioSpec(silent_share=0.4, frame_rate=12.5, val_videos=3, seed=4)
    described = spec.describe_split("val")
    assert described["sound_version"] == 1 and described["silent_share"] == 0.4
    again = SynthVISAudioSpec.from_description(described)
    assert again.describe_split("val") == described
