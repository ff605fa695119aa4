"""What containers say of their length, against files cut anywhere."""

import av
import pytest

from clips import write_clip
from opticflow.io.video.lengths import ends_early
from pictures import moving

FORMATS = {
    ".mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    ".avi": "avi",
    ".mkv": "matroska,webm",
    ".webm": "matroska,webm",
    ".flv": "flv",
    ".wmv": "asf",
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_cut_anywhere_ends_early(tmp_path, suffix):
    path = write_clip(tmp_path / f"clip{suffix}", moving(24, 32, 5))
    with av.open(str(path)) as container:
        name = container.format.name
    assert name == FORMATS[suffix] and not ends_early(path, name)
    data = path.read_bytes()
    for length in range(200, len(data) - 20, 37):
        path.write_bytes(data[:length])
        assert ends_early(path, name), length
    path.write_bytes(data + b"\0" * 50)
    assert not ends_early(path, name)


def test_a_length_that_was_never_filled_in_says_nothing(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", moving(24, 32, 5))
    data = bytearray(path.read_bytes())
    segment = data.index(b"\x18\x53\x80\x67")
    data[segment + 4 : segment + 12] = b"\x01" + b"\xff" * 7  # as of a stream
    path.write_bytes(data[:-500])
    assert not ends_early(path, "matroska,webm")
    path = write_clip(tmp_path / "clip.avi", moving(24, 32, 5))
    data = bytearray(path.read_bytes())
    data[4:8] = bytes(4)  # as of a recorder that lost power
    path.write_bytes(data)
    assert not ends_early(path, "avi")
