"""opticflow check"""

import json

import numpy as np

from pictures import moving

FLOW = np.full((60, 80, 2), (6, 2), dtype=np.float32)
X = np.arange(80, dtype=np.float32)


def clip(count: int = 2) -> dict:
    return {f"frames/{i:02d}.png": frame for i, frame in enumerate(moving(60, 80, count, dx=6, dy=2))}


def test_right_flow(command, write_files):
    root = write_files(clip() | {"a.flo": FLOW, "b.flo": -FLOW})
    frames = root / "frames" / "00.png", root / "frames" / "01.png"
    code, out, err = command("check", root / "a.flo", *frames, "--backward", root / "b.flo")
    assert (code, err) == (0, "")
    assert "photometric error: 0.00 grey levels at 89." in out
    assert "forward-backward error: 0.00 px" in out
    assert out.splitlines()[-1].startswith("verdict: correct (next best")


def test_a_fault_is_named_and_code_1(command, write_files):
    root = write_files(clip() | {"a.flo": FLOW[..., ::-1].copy()})
    code, out, _ = command("check", root / "a.flo", root / "frames" / "00.png", root / "frames" / "01.png", "--json")
    assert code == 1
    verdict = json.loads(out)["verdict"]
    assert verdict["name"] == "u and v swapped"
    assert verdict["fault"] == "the channels are (v, u); wanted (u, v)"
    assert verdict["misfits"]["u and v swapped"] < verdict["misfits"]["correct"]


def test_a_folder_tells_of_steadiness(command, write_files):
    flows = {f"flow/{i:02d}.flo": FLOW + np.float32(i % 2) for i in range(3)}
    root = write_files(clip(4) | flows)
    code, out, _ = command("check", root / "flow", root / "frames")
    assert code == 0
    assert "pairs: 3" in out
    assert "steadiness: flow changes by 1.41 px" in out


def test_bad_input_is_one_line_and_code_2(command, write_files):
    root = write_files(clip(3) | {"flow/00.flo": FLOW, "small.flo": FLOW[:20]})
    frames = root / "frames"
    for arguments, message in (
        ([root / "flow" / "00.flo", frames / "00.png"], "is the only frame; wanted two frames"),
        ([root / "flow", frames / "00.png", frames / "01.png"], "is a folder; wanted a folder of flow"),
        ([root / "flow", frames], "has 1 flow files, "),
        ([root / "none.flo", frames / "00.png", frames / "01.png"], "none.flo"),
        ([root / "small.flo", frames / "00.png", frames / "01.png"], "the flow is 80x20, the frames are 80x60"),
    ):
        code, out, err = command("check", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
