"""A world in closed form: a smooth picture that an affine map moves."""

import numpy as np

from opticflow.shapes import Sample


def picture(x, y):
    """uint8 RGB at real-valued points: waves of 12 px and more in every direction."""
    phases = [0.31 * x + 0.20 * y, 0.17 * x - 0.35 * y + 1, 0.41 * y - 0.05 * x + 2]
    return np.stack([np.rint(127.5 + 100 * np.sin(phase) * np.cos(0.06 * (x + y))) for phase in phases], -1).astype(
        np.uint8
    )


def points(matrix, size):
    """Where a 3 x 3 matrix takes the pixels of a frame."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    moved = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))
    return moved[0], moved[1]


def moving(motion, size=(120, 160)) -> Sample:
    """A sample whose points move by a 3 x 3 matrix."""
    y, x = np.mgrid[: size[0], : size[1]]
    end_x, end_y = points(motion, size)
    flow = np.stack([end_x - x, end_y - y], -1).astype(np.float32)
    return Sample(
        picture(x, y),
        picture(*points(np.linalg.inv(motion), size)),
        flow,
        np.ones(size, dtype=bool),
        np.zeros(size, dtype=bool),
        "waves",
    )


def photometric_error(sample) -> float:
    """The mean difference of grey levels between the first frame and the second at the end of the flow, in view."""
    from scipy.ndimage import map_coordinates

    height, width = sample.valid.shape
    y, x = np.mgrid[:height, :width]
    end_x, end_y = x + sample.flow[..., 0], y + sample.flow[..., 1]
    counted = sample.valid & (end_x >= 0) & (end_y >= 0) & (end_x <= width - 1) & (end_y <= height - 1)
    assert counted.mean() > 0.2
    seen = np.stack([map_coordinates(sample.second[..., c].astype(float), [end_y, end_x], order=1) for c in range(3)])
    return float(np.abs(seen - np.moveaxis(sample.first, -1, 0))[:, counted].mean())


class Waves:
    """A data set of samples that move by their number; some of which may be bad."""

    def __init__(self, count, bad=()):
        self.count, self.bad = count, bad

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        sample = moving(np.array([[1, 0, index], [0, 1, -index], [0, 0, 1.0]]), (48, 64)).replace(name=f"waves/{index}")
        if index in self.bad:
            sample.flow[3:40, 3:50] = np.nan
        return sample
