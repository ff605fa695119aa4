"""Frames from video files and folders."""

import contextlib
import inspect
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import opticflow
from clips import write_clip
from opticflow.errors import InputError, OpticflowError, VideoError
from opticflow.extract import ClipOptions, run_clip_to_video
from opticflow.io.video import open_clip
from pictures import moving

FRAMES = moving(48, 64, 8)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".webm", ".gif"])
def test_every_container_gives_the_frames_in_order(tmp_path, suffix):
    path = write_clip(tmp_path / f"clip{suffix}", FRAMES)
    read = list(opticflow.read_video(path))
    assert len(read) == len(FRAMES)
    for i, image in enumerate(read):
        distances = [np.abs(image.astype(int) - frame).mean() for frame in FRAMES]
        assert int(np.argmin(distances)) == i and distances[i] < 25


def test_start_end_and_step_pick_frames(tmp_path):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", FRAMES))
    assert [frame.index for frame in clip.frames(1, 7, 2)] == [1, 3, 5]
    assert clip.count == 8 and clip.rate == 25


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="PyAV cannot write rotations")
def test_rotated_phone_video_is_upright(tmp_path):
    """Players turn the picture by the display matrix; so does OpenCV, which is asked here."""
    path = write_clip(tmp_path / "phone.mp4", FRAMES[:2], rotation=90)
    frame = next(opticflow.read_video(path))
    capture = cv2.VideoCapture(str(path))
    expected = capture.read()[1][..., ::-1]
    assert frame.shape == expected.shape == (64, 48, 3)
    assert np.abs(frame.astype(int) - expected).mean() < 3


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    times = [0.0, 0.04, 0.1, 0.5, 0.55, 0.6, 0.9, 1.3]
    clip = open_clip(write_clip(tmp_path / "vfr.mp4", FRAMES, times=times))
    np.testing.assert_allclose([frame.time for frame in clip.frames()], times, atol=1e-3)


def test_a_folder_is_read_in_natural_order(tmp_path):
    for i in (10, 2, 1, 33):
        cv2.imwrite(str(tmp_path / f"frame{i}.png"), np.full((4, 6, 3), i, np.uint8))
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a frame")
    clip = open_clip(tmp_path)
    assert [frame.name for frame in clip.frames()] == ["frame1", "frame2", "frame10", "frame33"]
    assert [frame.image[0, 0, 0] for frame in clip.frames()] == [1, 2, 10, 33]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", "folder"])
def test_excerpts_are_neighbours(tmp_path, suffix):
    if suffix == "folder":
        for i, frame in enumerate(FRAMES):
            cv2.imwrite(str(tmp_path / f"{i}.png"), frame[..., ::-1])
        clip = open_clip(tmp_path)
    else:
        clip = open_clip(write_clip(tmp_path / f"clip{suffix}", FRAMES))
    pairs = list(clip.excerpts(3, 2))
    assert pairs
    for first, second in pairs:
        indices = [int(np.argmin([np.abs(image.astype(int) - f).mean() for f in FRAMES])) for image in (first, second)]
        assert indices[1] - indices[0] == 2


def positions(clip, frames, places, step=1, **bounds):
    """Of the first frames of excerpts, by what they show."""
    pairs = list(clip.excerpts(places, step, **bounds))
    near = [
        [int(np.argmin([np.abs(image.astype(int) - f).mean() for f in frames])) for image in pair] for pair in pairs
    ]
    assert all(second - first == step for first, second in near)
    return [first for first, _ in near]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".gif", ".ts", ".h264"])
def test_excerpts_are_spread_over_a_clip_with_one_key_frame(tmp_path, suffix):
    frames = moving(48, 64, 40)
    clip = open_clip(write_clip(tmp_path / f"clip{suffix}", frames))
    found = positions(clip, frames, 5)
    if clip.count is None:  # a bare stream says nothing of its length
        assert found[0] < 20 <= found[-1] or len(found) == 1
    else:
        assert found == [4, 12, 19, 27, 35] or np.allclose(found, [4, 12, 19, 27, 35], atol=2)
        assert all(10 <= place < 19 for place in positions(clip, frames, 4, start=10, end=20))


def test_excerpts_jump_from_key_frame_to_key_frame(tmp_path, monkeypatch):
    monkeypatch.setattr("opticflow.io.video.video_clip.CHEAPER_TO_DECODE", 3)
    frames = moving(48, 64, 40)
    clip = open_clip(write_clip(tmp_path / "clip.mp4", frames, options={"g": "6"}))
    assert positions(clip, frames, 5, step=2) == [4, 11, 18, 26, 33]


def test_the_clock_of_a_clip_begins_with_its_first_frame(tmp_path):
    clip = open_clip(write_clip(tmp_path / "late.ts", FRAMES, begins=20_000))
    assert np.allclose([frame.time for frame in clip.frames()], np.arange(8) / 25, atol=1e-3)


def test_names_that_look_like_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "12:30:45.mp4", FRAMES)
    assert len(list(open_clip("12:30:45.mp4").frames())) == 8
    run_clip_to_video(open_clip("12:30:45.mp4"), opticflow.load("DIS"), Path("take:2.mp4"), ClipOptions(), settings={})
    assert sum(1 for _ in opticflow.read_video(tmp_path / "take:2.mp4")) == 7


def damage(path: Path, first: int, last: int) -> Path:
    """Overwrite some packets of a video with noise."""
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.dts is not None]
    data = bytearray(path.read_bytes())
    for position, size in packets[first:last]:
        data[position : position + size] = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    path.write_bytes(data)
    return path


def test_what_is_broken_outside_of_the_range_does_not_matter(tmp_path):
    frames = moving(48, 64, 30)
    path = damage(write_clip(tmp_path / "clip.mp4", frames, options={"g": "10"}), 13, 15)
    clip = open_clip(path)
    with pytest.raises(VideoError, match=r"frame 13 of .* cannot be decoded"):
        list(clip.frames())
    assert [frame.index for frame in clip.frames(20)] == list(range(20, 30))
    assert [frame.index for frame in clip.frames(end=13)] == list(range(13))
    found = list(clip.frames(skip_broken=True))
    assert [frame.index for frame in found] == list(range(30))
    assert [frame.index for frame in found if frame.lost] == list(range(13, 20)), "to the next key frame"
    for frame in found:
        assert frame.lost or np.abs(frame.image.astype(int) - frames[frame.index]).mean() < 3


def test_what_the_decoder_conceals_is_marked(tmp_path):
    frames = moving(96, 128, 20)
    whole = write_clip(tmp_path / "clip.avi", frames).read_bytes()
    for seed in range(100):
        data, random = bytearray(whole), np.random.default_rng(seed)
        place = int(random.integers(len(data) // 3, len(data) * 2 // 3))
        data[place : place + 40] = random.integers(0, 256, 40, np.uint8).tobytes()
        (tmp_path / "clip.avi").write_bytes(data)
        with contextlib.suppress(VideoError):
            with av.open(str(tmp_path / "clip.avi")) as container:
                marked = [i for i, frame in enumerate(container.decode(video=0)) if frame.is_corrupt]
            found = [frame.index for frame in open_clip(tmp_path / "clip.avi").frames() if frame.damaged]
            assert found == marked
            if marked:
                return
    raise AssertionError("no damage was concealed")


def test_missing_frames_are_noticed_where_the_pace_is_even(tmp_path):
    times = [i / 25 for i in range(20) if not 11 <= i < 14]
    clip = open_clip(write_clip(tmp_path / "gap.mp4", moving(48, 64, 17), times=times))
    assert [frame.index for frame in clip.frames() if frame.after_gap] == [11]
    assert [frame.index for frame in clip.frames(step=3) if frame.after_gap] == [12]
    shared = open_clip(write_clip(tmp_path / "clip.mpg", moving(64, 96, 100)))  # frames of one packet share its stamp
    assert not any(frame.after_gap for frame in shared.frames())
    uneven = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.3, 17))
    clip = open_clip(write_clip(tmp_path / "uneven.mp4", moving(48, 64, 17), times=list(uneven)))
    assert not any(frame.after_gap for frame in clip.frames())


@pytest.mark.parametrize("suffix", [".gif", ".avi", ".mkv", ".webm", ".flv", ".mp4", ".wmv"])
@pytest.mark.parametrize("count", [12, 60])
@pytest.mark.parametrize("share", [0.5, 0.75, 0.9])
def test_a_video_that_ends_early_is_refused(tmp_path, suffix, count, share):
    path = write_clip(tmp_path / f"clip{suffix}", moving(48, 64, count))
    assert len(list(open_clip(path).frames())) == count
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(VideoError):
        list(open_clip(path).frames())


def test_what_is_no_clip_is_refused_in_one_line(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video at all\n" * 20)
    (tmp_path / "empty").mkdir()
    for path, words in [
        (tmp_path / "none.mp4", "no file"),
        (text, "cannot be opened"),
        (tmp_path / "empty", "holds no picture"),
    ]:
        with pytest.raises(OpticflowError, match=words):
            open_clip(path)


def test_what_is_no_source_and_no_number_is_refused(tmp_path, monkeypatch):
    read_video = inspect.unwrap(opticflow.read_video)  # without the check of types that the tests are run with
    monkeypatch.setattr("opticflow.io.video.opening.open_clip", inspect.unwrap(open_clip))
    for source in (0, None, b"a.mp4", [0], ["a.png", None], np.zeros((2, 4, 6, 3))):
        with pytest.raises(InputError, match="a clip is a file, a folder or a list of pictures, not"):
            read_video(source)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the list of pictures is empty"):
        read_video([])  # type: ignore[arg-type]
    for numbers in ({"start": 1.5}, {"start": "1"}, {"end": "9"}, {"step": None}, {"step": 0}, {"end": -1}):
        with pytest.raises(InputError, match="wanted whole numbers"):
            read_video(tmp_path, **numbers)  # type: ignore[arg-type]


def test_a_tiff_of_several_pages_is_a_clip(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [frame[..., ::-1] for frame in FRAMES])
    clip = open_clip(tmp_path / "a.tif")
    assert clip.count == 8
    for frame, wanted in zip(clip.frames(), FRAMES, strict=True):
        assert np.array_equal(frame.image, wanted) and frame.name == f"{frame.index:06d}"
    assert positions(clip, FRAMES, 3, step=2) == [1, 2, 4]
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-4000])
    with pytest.raises(VideoError, match=r"a\.tif"):
        list(open_clip(tmp_path / "a.tif").frames())


def test_excerpts_are_of_one_size(tmp_path, monkeypatch):
    monkeypatch.setattr("opticflow.io.video.video_clip.UNKNOWN_SPACING", 1)
    for number, size in enumerate((48, 64)):
        write_clip(tmp_path / f"{number}.h264", moving(size, size, 5))
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join((tmp_path / f"{number}.h264").read_bytes() for number in range(2)))
    shapes = [(first.shape, second.shape) for first, second in open_clip(both).excerpts(12, 1)]
    assert len(shapes) == 4 and len({*shapes}) == 2 and all(first == second for first, second in shapes)


def test_several_clips_are_refused_as_such(tmp_path):
    clips = [write_clip(tmp_path / f"{name}.mp4", FRAMES) for name in "ab"]
    with pytest.raises(InputError, match="is a clip of its own, and one is taken at a time"):
        open_clip(clips)
    with pytest.raises(InputError, match="is a folder of videos; one clip is taken at a time"):
        open_clip(tmp_path)


def test_a_small_file_cannot_take_much_memory(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.gif", FRAMES)
    data = bytearray(path.read_bytes())
    data[6:10] = struct.pack("<HH", 16000, 16000)
    path.write_bytes(data)
    with pytest.raises(VideoError, match=r"clip\.gif holds frames of 16000 x 16000 pixels, which takes 4\.1 GB"):
        open_clip(path)
    monkeypatch.setenv("OPTICFLOW_READ_LIMIT", "0.001")
    small, large = (write_clip(tmp_path / f"{s}.h264", moving(s, s, 4)) for s in (64, 640))
    small.write_bytes(small.read_bytes() + large.read_bytes())  # a stream whose size changes
    with pytest.raises(VideoError, match="holds frames of 640 x 640 pixels"):
        open_clip(small)
    monkeypatch.setattr(
        "opticflow.io.video.video_clip.check_memory", lambda what, needed: None
    )  # as if that came later
    with pytest.raises(VideoError, match="cannot be decoded"):
        list(open_clip(small).frames())


def test_metadata_that_is_no_text(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", FRAMES, metadata={"title": "name of the clip"})
    path.write_bytes(path.read_bytes().replace(b"name of the clip", b"name \xff\xfe the clip"))
    with contextlib.suppress(VideoError):  # one line, or read all the same
        assert len(list(open_clip(path).frames())) == len(FRAMES)


def test_frames_of_different_sizes_are_named(tmp_path):
    for i, width in enumerate((6, 6, 8)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.zeros((4, width, 3), np.uint8))
    with pytest.raises(VideoError, match=r"frame 2 \(2.png\) is 8x4 and those before it are 6x4"):
        list(open_clip(tmp_path).frames())


def test_a_video_cut_in_the_middle_is_noticed(tmp_path):
    path = write_clip(tmp_path / "clip.avi", moving(96, 128, 40))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = []
    with pytest.raises(VideoError, match=r"ends after|cannot be decoded"):
        frames.extend(open_clip(path).frames())


def test_a_broken_frame_is_named_by_its_index(tmp_path):
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), FRAMES[i])
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:200])
    with pytest.raises(VideoError, match=r"frame 2 \(2.png\)"):
        list(open_clip(tmp_path).frames())
