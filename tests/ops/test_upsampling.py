import cv2
import numpy as np
import torch

from opticflow.ops.upsampling import convex_upsample, upsample


def flow(height: int = 4, width: int = 5) -> torch.Tensor:
    return torch.randn(2, 2, height, width, generator=torch.Generator().manual_seed(0))


def test_convex_upsampling_by_its_definition():
    coarse, factor = flow(), 4
    mask = torch.randn(2, 9 * factor**2, 4, 5, generator=torch.Generator().manual_seed(1))
    fine = convex_upsample(coarse, mask, factor)
    assert fine.shape == (2, 2, 16, 20)
    padded = torch.nn.functional.pad(coarse, (1, 1, 1, 1))
    for y, x in [(0, 0), (7, 9), (15, 19), (6, 3)]:
        row, column = y // factor, x // factor
        logits = mask.view(2, 9, factor, factor, 4, 5)[:, :, y % factor, x % factor, row, column]
        patch = padded[:, :, row : row + 3, column : column + 3].reshape(2, 2, 9)
        torch.testing.assert_close(fine[:, :, y, x], (logits.softmax(1)[:, None] * patch).sum(2))


def test_bilinear_has_pixel_centres_where_opencv_has_them():
    image = flow()[:1]
    wanted = cv2.resize(image[0].permute(1, 2, 0).numpy(), (20, 16), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(upsample(image, 4, mode="bilinear")[0].permute(1, 2, 0).numpy(), wanted, atol=1e-5)


def test_nearest_repeats():
    image = flow()
    assert torch.equal(upsample(image, 4, mode="nearest"), image.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_corners_stay_corners():
    image = flow()
    large = upsample(image, 8, mode="bilinear-corners")
    torch.testing.assert_close(large[:, :, [0, 0, -1, -1], [0, -1, 0, -1]], image[:, :, [0, 0, -1, -1], [0, -1, 0, -1]])
    x = np.linspace(0, 4, 40)
    wanted = np.interp(x, np.arange(5), image[0, 0, 0].numpy())
    np.testing.assert_allclose(large[0, 0, 0].numpy(), wanted, atol=1e-5)
