"""Forward-backward check on a scene whose occlusions are known."""

import torch

from opticflow.ops.consistency import occlusion


def test_a_square_moving_over_a_still_background_hides_what_it_moves_onto():
    forward, backward = torch.zeros(2, 1, 2, 20, 30).unbind(0)
    forward[:, 0, 5:12, 5:12] = 6  # the square goes from columns 5..11 to 11..17
    backward[:, 0, 5:12, 11:18] = -6
    expected = torch.zeros(1, 20, 30, dtype=torch.bool)
    expected[:, 5:12, 12:18] = True
    assert (occlusion(forward, backward) == expected).all()


def test_what_leaves_the_frame_is_occluded():
    forward = torch.full((1, 2, 10, 10), 3.0)
    hidden = occlusion(forward, -forward)
    assert hidden[0, 7:].all() and hidden[0, :, 7:].all() and not hidden[0, :7, :7].any()
