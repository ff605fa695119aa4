"""Frames read after a seek are those that are read without one."""

import pickle
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import write_clip
from opticflow.errors import VideoError
from opticflow.io.video import open_clip, video_clip
from pictures import moving

FRAMES = moving(48, 64, 20)
B_FRAMES = {"g": "6", "bf": "2", "preset": "fast"}
OPEN_GOP = {**B_FRAMES, "x264-params": "open-gop=1"}


@pytest.fixture(autouse=True)
def far_from_the_first_frame_on(monkeypatch):
    monkeypatch.setattr(video_clip, "NEAR", 0)


def described(frames) -> list:
    """Everything that is said of frames, and the error after them."""
    found = []
    try:
        for f in frames:
            found.append((f.index, f.name, f.time, f.lost, f.damaged, f.after_gap, f.image.shape, f.image.tobytes()))
    except VideoError as error:
        found.append(str(error))
    return found


def check_every_start(path: Path, *, step: int = 1, **options) -> None:
    """Frames from every index on are those of reading from 0: the first two, and in one case all."""
    clip = open_clip(path)
    whole = described(clip.frames(0, step=step, **options))
    assert len(whole) > len(FRAMES) // step - 3 and not isinstance(whole[0], str)
    for place in range(len(whole)):
        count = None if place == 8 or options else 2
        found = described(islice(clip.frames(place * step, step=step, **options), count))
        assert found == whole[place:][:count], f"from {place * step} on"


def decoded_for(clip, monkeypatch, start: int, count: int) -> int:
    """How many frames are decoded to read `count` frames."""
    decoded, decode = [], video_clip._frames_or_errors

    def counted(*arguments):
        for frame in decode(*arguments):
            decoded.append(frame)
            yield frame

    with monkeypatch.context() as patch:
        patch.setattr(video_clip, "_frames_or_errors", counted)
        assert len(list(islice(clip.frames(start, start + count), count))) == count
    return len(decoded)


def encode(path: Path, codec: str, options: dict[str, str], pixels: str = "yuv420p") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 80, pixels
        for image in moving(64, 80, len(FRAMES)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".flv", ".wmv", ".mpg", ".gif"])
def test_every_container_gives_the_same_frames_from_every_start(tmp_path, suffix):
    check_every_start(write_clip(tmp_path / f"clip{suffix}", FRAMES))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".h264"])
@pytest.mark.parametrize("options", [B_FRAMES, OPEN_GOP, {"g": "6", "x264-params": "intra-refresh=1"}])
def test_kinds_of_key_frames_give_the_same_frames_from_every_start(tmp_path, suffix, options):
    check_every_start(write_clip(tmp_path / f"clip{suffix}", FRAMES, options=options))


@pytest.mark.parametrize(
    "suffix, codec, options, pixels",
    [
        (".webm", "libvpx", {"g": "8", "auto-alt-ref": "1", "lag-in-frames": "16"}, "yuv420p"),
        (".webm", "libvpx-vp9", {"g": "8", "auto-alt-ref": "1", "lag-in-frames": "16"}, "yuv420p"),
        (".mkv", "mpeg2video", {"g": "6", "bf": "2"}, "yuv420p"),
        (".ts", "mpeg2video", {"g": "6", "bf": "2", "flags": "+ildct+ilme"}, "yuv420p"),
        (".mp4", "mpeg4", {"g": "6", "bf": "2"}, "yuv420p"),
        (".avi", "libx264", B_FRAMES, "yuv420p"),
        (".wmv", "libx264", B_FRAMES, "yuv420p"),
        (".flv", "libx264", B_FRAMES, "yuv420p"),
        (".mov", "prores_ks", {}, "yuv422p10le"),
        (".mkv", "ffv1", {"g": "6"}, "yuv420p"),
    ],
)
def test_codecs_give_the_same_frames_from_every_start(tmp_path, suffix, codec, options, pixels):
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV cannot write {codec}")
    check_every_start(encode(tmp_path / f"clip{suffix}", codec, options, pixels))


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1"])
def test_newer_codecs_give_the_same_frames_from_every_start(tmp_path, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV cannot write {codec}")
    options = {"libx265": {"x265-params": "keyint=8:log-level=none"}, "libsvtav1": {"g": "8", "preset": "12"}}[codec]
    check_every_start(encode(tmp_path / "clip.mp4", codec, options))
    check_every_start(encode(tmp_path / "clip.mkv", codec, options))


def test_times_are_kept_bit_for_bit(tmp_path):
    uneven = list(np.cumsum(np.random.default_rng(0).uniform(0.01, 0.3, len(FRAMES))))
    check_every_start(write_clip(tmp_path / "uneven.mp4", FRAMES, times=uneven, options=B_FRAMES))
    for begins in (20_000, 2**33 / 90_000 - 2):  # the time stamps of a transport stream have 33 bits
        check_every_start(write_clip(tmp_path / "late.ts", FRAMES, begins=begins, options=B_FRAMES))


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="PyAV cannot write rotations")
def test_a_rotated_clip_stays_upright(tmp_path):
    path = write_clip(tmp_path / "phone.mp4", FRAMES, rotation=90, options=B_FRAMES)
    check_every_start(path)
    assert next(open_clip(path).frames(15)).image.shape == (64, 48, 3)


@pytest.mark.parametrize("step", [1, 3])
def test_a_gap_is_marked_at_the_same_frame_from_every_start(tmp_path, step):
    times = [i / 25 for i in range(23) if not 13 <= i < 16]
    path = write_clip(tmp_path / "gap.mp4", FRAMES, times=times, options=B_FRAMES)
    check_every_start(path, step=step)
    assert [frame.index for frame in open_clip(path).frames(12, step=step) if frame.after_gap] == [{1: 13, 3: 15}[step]]
    assert not any(frame.after_gap for frame in open_clip(path).frames(18, step=step))


def test_damage_is_reported_at_the_same_frames_from_every_start(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", FRAMES, options={"g": "6"})
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in packets[14:16]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    check_every_start(path, skip_broken=True)
    clip = open_clip(path)
    assert [frame.index for frame in clip.frames(7, skip_broken=True) if frame.lost] == [14, 15, 16, 17]
    for start in range(15):
        with pytest.raises(VideoError, match=r"frame 14 of .* cannot be decoded"):
            list(clip.frames(start))


def test_a_clip_that_is_cut_off_ends_with_the_same_error(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", FRAMES, options=B_FRAMES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    clip = open_clip(path)
    whole = described(clip.frames())
    assert "is cut off" in whole[-1]
    for start in (5, len(whole) - 2, 1000):
        assert described(clip.frames(start))[-1] == whole[-1]


def test_a_transport_stream_with_a_stream_that_begins_later_ends_without_an_error(tmp_path):
    path = write_clip(tmp_path / "clip.ts", FRAMES, options=B_FRAMES)
    data = bytearray(path.read_bytes())
    begins = [i for i in range(0, len(data), 188) if data[i + 1] & 0x40 and data[i + 2] == 0]  # of packets of frames
    data[begins[-2] + 2] = 16  # the number of another stream
    path.write_bytes(data)
    check_every_start(path, skip_broken=True)


def test_a_start_after_the_end_gives_no_frame(tmp_path):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", FRAMES, options=B_FRAMES))
    assert not list(clip.frames(len(FRAMES))) and not list(clip.frames(1000)) and not list(clip.frames(15, 10))


@given(data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_frames_start_and_step_give_the_same_frames(tmp_path, data):
    options = {
        "g": str(data.draw(st.integers(1, 12), "frames between key frames")),
        "bf": str(data.draw(st.integers(0, 4), "B-frames")),
        "preset": "fast",
        "x264-params": f"open-gop={data.draw(st.integers(0, 1), 'open GOP')}",
    }
    suffix = data.draw(st.sampled_from([".mp4", ".mkv", ".ts"]), "container")
    clip = open_clip(write_clip(tmp_path / f"clip{suffix}", FRAMES, options=options))
    whole = described(clip.frames())
    start, step = data.draw(st.integers(0, len(FRAMES)), "start"), data.draw(st.integers(1, 5), "step")
    end = data.draw(st.integers(start, len(FRAMES)), "end")
    assert described(clip.frames(start, end, step)) == whole[start:end:step]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("options", [B_FRAMES, OPEN_GOP])
def test_a_far_frame_costs_one_group_of_pictures(tmp_path, monkeypatch, suffix, options):
    clip = open_clip(write_clip(tmp_path / f"clip{suffix}", moving(48, 64, 52), options=options))
    leading = 2 * (options is OPEN_GOP)  # shown before the key frame and decoded after it
    for start in range(41, 49):
        assert decoded_for(clip, monkeypatch, start, 3) <= leading + 6 + 3


def test_near_frames_are_decoded_from_the_first_on(tmp_path, monkeypatch):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", FRAMES, options=B_FRAMES))
    monkeypatch.setattr(video_clip, "NEAR", 15)
    monkeypatch.setattr(video_clip, "read_frame_times", lambda container: pytest.fail("the packets were read"))
    assert decoded_for(clip, monkeypatch, 15, 1) == 16


def test_the_packets_are_read_once_and_the_clip_can_be_pickled(tmp_path, monkeypatch):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", FRAMES, options=B_FRAMES))
    wanted = described(clip.frames(15))
    monkeypatch.setattr(video_clip, "read_frame_times", lambda container: pytest.fail("the packets were read again"))
    assert described(pickle.loads(pickle.dumps(clip)).frames(15)) == described(clip.frames(15)) == wanted


@pytest.mark.parametrize("suffix", [".avi", ".h264", ".mpg", ".wmv", ".gif"])
def test_what_has_no_time_stamp_for_every_frame_is_decoded_from_the_first_on(tmp_path, monkeypatch, suffix):
    clip = open_clip(write_clip(tmp_path / f"clip{suffix}", FRAMES))
    assert decoded_for(clip, monkeypatch, 15, 1) == 16


def test_a_clip_that_changes_after_its_packets_were_read_is_decoded_from_the_first_on(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", FRAMES, options=B_FRAMES)
    clip = open_clip(path)
    list(clip.frames(15))
    write_clip(path, FRAMES, options=B_FRAMES, rate=10)
    assert [frame.image.tobytes() for frame in clip.frames(9)] == [
        frame.image.tobytes() for frame in islice(clip.frames(0), 9, None)
    ]
