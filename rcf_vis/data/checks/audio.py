"""The audio of a data set as files: which videos have it, and which of it is usable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rcf_vis.audio import AudioStream, NoAudioTrack, read_audio
from rcf_vis.audio.folder import all_audio_files
from rcf_vis.data.json_rules import OnFault
from rcf_vis.errors import DatasetError

__all__ = ["Record", "check_audio"]

Record = dict[str, Any]

_MAX_CHANNELS = 8
"""Of an audio track that is no mistake (7.1)."""


def check_audio(
    records: Sequence[Record],
    audio_root: str,
    faults: OnFault,
    *,
    limit: int = 10,
    progress: Callable[[Sequence[Record]], Iterable[Record]] = iter,
) -> list[str]:
    """Decode the audio of each video, and compare it with the video.

    Args:
        records: of :func:`~rcf_vis.data.ytvis.read_videos`, with an ``audio_root``.
        audio_root: the folder of audio.
        faults: is called for each file that cannot be decoded, holds no samples or some that are
            not finite, or has more channels than an audio track.
        limit: videos that are named in a note.
        progress: a bar around the list of records, e.g. tqdm.

    Returns:
        Notes, what one should know, but is not wrong: what is silent, and where audio and video
        are not of one length (by more than a frame).
    """
    with_audio = [record for record in records if record["audio_file"] is not None]
    silent = [f"video {r['video_id']}" for r in records if r["audio_file"] is None]
    tracks = {"no track": [], "shorter": [], "longer": []}
    for record in progress(with_audio):
        where = f"video {record['video_id']}, {record['audio_file']}"
        try:
            seconds = _seconds_of_audio(record["audio_file"])
        except NoAudioTrack:
            tracks["no track"].append(where)
        except (OSError, ValueError) as error:
            message = f"video {record['video_id']}, audio {record['audio_file']}: {error}"
            faults(DatasetError(message, "audio"))
        else:
            video = record["length"] / record["frame_rate"]
            if abs(seconds - video) > 1 / record["frame_rate"]:
                kind = "shorter" if seconds < video else "longer"
                tracks[kind].append(f"{where}: {seconds:.2f} s, the video {video:.2f} s")
    used = {record["audio_file"] for record in with_audio}
    unused = [file for file in all_audio_files(audio_root) if file not in used]
    notes = (
        _note(silent, "videos without audio: silence", limit),
        _note(tracks["no track"], "video files without an audio track: silence", limit),
        _note(tracks["shorter"], "audio tracks shorter than the video: silence follows", limit),
        _note(tracks["longer"], "audio tracks longer than the video: the end is not used", limit),
        _note(unused, "audio files that belong to no video", limit),
    )
    return list(filter(None, notes))


def _seconds_of_audio(path: str) -> float:
    """Length of an audio track that can be used, else ValueError."""
    samples, sample_rate = read_audio(path)
    AudioStream(sample_rate)  # is it one that can be resampled
    channels, number = samples.shape
    if number == 0:
        raise ValueError("0 samples; it is played as silence")
    if channels > _MAX_CHANNELS:
        raise ValueError(f"{channels} channels, expected 1 to {_MAX_CHANNELS}; their mean is used")
    return number / sample_rate


def _note(items: Sequence[str], what: str, limit: int) -> str | None:
    """The number of the items, and the first of them; None where there are none."""
    if not items:
        return None
    more = [f"… and {len(items) - limit} more"] if len(items) > limit else []
    return f"{len(items)} {what}" + "".join(f"\n    {item}" for item in [*items[:limit], *more])
