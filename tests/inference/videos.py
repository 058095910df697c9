"""Videos as strangers send them: damaged, of a varying frame rate, with a cover picture."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

LENGTH = 6


def grey(value: int, height: int = 48, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def damaged_video(path: Path, codec: str, broken: set[int], pix_fmt: str = "yuvj420p") -> Path:
    """Six frames, grey 0, 40, 80 …, of which some have a packet of noise."""
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"bf": "0", "g": "1"})
        stream.width, stream.height, stream.pix_fmt = 80, 48, pix_fmt
        number = 0
        for value in [*range(0, 40 * LENGTH, 40), None]:
            picture = None
            if value is not None:
                picture = av.VideoFrame.from_ndarray(grey(value), format="bgr24")
                picture = picture.reformat(format=pix_fmt)
            for packet in stream.encode(picture):
                if number in broken:
                    # H.264 is written by its start codes: without one nothing would be there.
                    start = bytes(packet)[:5] if codec == "libx264" else b""
                    bad = av.Packet(start + noise.integers(1, 200, 60, dtype=np.uint8).tobytes())
                    bad.pts, bad.dts, bad.time_base = packet.pts, packet.dts, packet.time_base
                    bad.stream = stream
                    packet = bad
                container.mux(packet)
                number += 1
    return path


def video_of_varying_rate(path: Path, times: list[Fraction], sample_rate: int = 16000) -> Path:
    """Black frames at the times (seconds), but a white one when a beep is heard, at 1 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("pcm_s16le", rate=sample_rate, layout="mono")
        for time in times:
            picture = av.VideoFrame.from_ndarray(grey(255 if time == 1 else 0), format="bgr24")
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        samples = np.zeros((1, 3 * sample_rate), np.int16)
        samples[:, sample_rate : sample_rate + sample_rate // 10] = 20000
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path
