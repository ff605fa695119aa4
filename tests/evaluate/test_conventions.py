"""The convention check must name the fault of files broken on purpose."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from opticflow.data import open_dataset
from opticflow.errors import InputError
from opticflow.evaluate.conventions import hypotheses, judge, match_size, misfits
from pictures import texture

HEIGHT, WIDTH = 180, 240


def grid(height: int, width: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def broken_files(flow: np.ndarray, backward: np.ndarray) -> dict[str, np.ndarray]:
    """The flow as each fault leaves it, by the name the check should give."""
    height, width = flow.shape[:2]
    size = np.float32([width, height])
    faults = {
        "correct": flow,
        "u and v swapped": flow[..., ::-1],
        "sign flipped": -flow,
        "u flipped": flow * np.float32([-1, 1]),
        "v flipped": flow * np.float32([1, -1]),
        "backward": backward,
        "upside down": flow[::-1],
        "mirrored": flow[:, ::-1],
        "normalised to [-1, 1]": flow / (size / 2),
        "fraction of the size": flow / size,
        "absolute": flow + grid(height, width),
        "scaled by 1/2": flow / 2,
        "scaled by 1/8": flow / 8,
        "scaled by 1/20": flow / 20,
        "scaled by 2": flow * 2,
        "scaled by 8": flow * 8,
    }
    return {name: np.ascontiguousarray(broken, dtype=np.float32) for name, broken in faults.items()}


@pytest.fixture(scope="module")
def scene():
    """A picture that moves by a known affine motion, with its flow in both directions.

    The second frame is the picture; the first is read from it at x + f(x), so that the flow is exact.
    """
    motion = np.array([[1.05, 0.03], [-0.02, 0.97]])
    shift = np.array([2.0, 9.0])
    second = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=3), (0, 0), 1.0)
    points = grid(HEIGHT, WIDTH).astype(np.float64)
    target = points @ motion.T + shift
    first = cv2.remap(second, target.astype(np.float32), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    backward = (points - shift) @ np.linalg.inv(motion).T - points
    return first, second, (target - points).astype(np.float32), backward.astype(np.float32)


def test_every_fault_of_a_synthetic_pair_is_named(scene):
    first, second, flow, backward = scene
    broken = broken_files(flow, backward)
    assert len(broken) - 1 >= 10
    verdicts = {name: judge(misfits(file, first, second)) for name, file in broken.items()}
    assert {name: verdict.name for name, verdict in verdicts.items()} == {name: name for name in broken}
    assert all(verdict.sure for name, verdict in verdicts.items() if name not in ("sign flipped", "backward"))


def filled(sample) -> np.ndarray:
    """The truth, and the nearest known value where it is not known."""
    if sample.valid.all():
        return sample.flow
    nearest = distance_transform_edt(~sample.valid, return_distances=False, return_indices=True)
    return sample.flow[tuple(nearest)]


def carried(flow: np.ndarray) -> np.ndarray:
    """The flow from the second frame to the first: each vector, negated, where it points; the nearest in gaps."""
    height, width = flow.shape[:2]
    backward, known = np.zeros_like(flow), np.zeros((height, width), dtype=bool)
    x, y = np.rint(grid(height, width) + flow).astype(int).reshape(-1, 2).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    backward[y[inside], x[inside]] = -flow.reshape(-1, 2)[inside]
    known[y[inside], x[inside]] = True
    return backward[tuple(distance_transform_edt(~known, return_distances=False, return_indices=True))]


@pytest.mark.parametrize(
    "name",
    [
        "chairs_0000003",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("middlebury_urban3", "sintel_final_cave_2_0002", "kitti12_000045", "tartanair_000380")
        ),
    ],
)
def test_every_fault_of_real_pairs_is_named(name, real_data):
    data = open_dataset("pairs", real_data)
    sample = data[[pair.name for pair in data.pairs].index(name)]
    flow = filled(sample)
    for fault, file in broken_files(flow, carried(flow)).items():
        verdict = judge(misfits(file, sample.first, sample.second))
        if verdict.name != fault:  # nearly the same for motion that varies little: then it must say so
            assert {verdict.name, fault} == {"sign flipped", "backward"}
            assert verdict.runner_up == fault
            assert not verdict.sure


def test_unknown_flow_does_not_disturb(scene):
    first, second, flow, _ = scene
    holes = flow[..., ::-1].copy()
    holes[::2, ::3] = np.nan
    assert judge(misfits(holes, first, second)).name == "u and v swapped"


def test_frames_that_have_nothing_to_do_with_each_other_give_no_sure_verdict():
    flow = np.full((HEIGHT, WIDTH, 2), (7, -3), dtype=np.float32)
    verdict = judge(misfits(flow, texture(HEIGHT, WIDTH, 1), texture(HEIGHT, WIDTH, 2)))
    assert (verdict.name, verdict.sure) == ("undecided", False)
    assert 0.9 < verdict.misfits["correct"] < 1.1


def test_cures_that_change_nothing_are_not_tried():
    second = texture(HEIGHT, WIDTH, 4)
    found = misfits(np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32), second, second)
    assert set(found) == {"correct", "backward", "absolute"}
    assert judge(found).name == "correct"


def test_frames_without_texture_give_no_sure_verdict():
    frame = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    flow = np.full((HEIGHT, WIDTH, 2), (7, -3), dtype=np.float32)
    verdict = judge(misfits(flow, frame, frame))
    assert (verdict.name, verdict.sure) == ("undecided", False)


def test_a_change_of_light_does_not_disturb(scene):
    first, second, flow, _ = scene
    brighter = np.clip(second.astype(np.int64) + 40, 0, 255).astype(np.uint8)
    assert judge(misfits(flow, first, brighter)).name == "correct"


def test_the_cures_undo_the_faults(scene):
    _, _, flow, backward = scene
    cures = {hypothesis.name: hypothesis.cure for hypothesis in hypotheses(HEIGHT, WIDTH)}
    for name, broken in broken_files(flow, backward).items():
        wanted = backward if name == "backward" else flow
        np.testing.assert_allclose(cures[name](broken), wanted, rtol=1e-5, atol=1e-4, err_msg=name)


def test_flow_of_another_size_is_brought_to_the_frames():
    quarter = np.ones((45, 60, 2), dtype=np.float32)
    flow, note = match_size(quarter, HEIGHT, WIDTH)
    assert flow.shape == (HEIGHT, WIDTH, 2)
    assert (flow == 1).all()
    assert note == "the flow is 60x45, the frames are 240x180"
    flow, note = match_size(np.ones((WIDTH, HEIGHT, 2), dtype=np.float32), HEIGHT, WIDTH)
    assert flow.shape == (HEIGHT, WIDTH, 2)
    assert note == "height and width are exchanged"
    with pytest.raises(InputError, match="the flow is 60x20, the frames are 240x180; wanted one size"):
        match_size(np.ones((20, 60, 2), dtype=np.float32), HEIGHT, WIDTH)
