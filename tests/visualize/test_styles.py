"""Every style, with and without its legend."""

import numpy as np
import pytest

from opticflow.errors import InputError
from opticflow.io.folders import DRAWN
from opticflow.visualize import STYLES, arrows, draw_flow, overlay


def moving_right(height: int = 60, width: int = 80, length: float = 5) -> np.ndarray:
    flow = np.zeros((height, width, 2), np.float32)
    flow[..., 0] = length
    return flow


def frame_for(flow: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*flow.shape[:2], 3), dtype=np.uint8)


def draw(flow: np.ndarray, style: str, **options) -> np.ndarray:
    return draw_flow(flow, style, frame=frame_for(flow) if STYLES[style].needs_frame else None, **options)


def test_the_files_of_every_style_are_known_as_drawings():
    assert {*DRAWN} == {f".{style}" for style in STYLES}


def width_of(style: str, width: int) -> int:
    return 2 * width if style == "side-by-side" else width


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (33, 21)])
@pytest.mark.parametrize("with_legend", [False, True])
def test_any_size(style, size, with_legend):
    picture = draw(moving_right(*size), style, with_legend=with_legend)
    if with_legend:
        assert picture.shape == (max(120, size[0]), width_of(style, size[1]) + 96, 3)
    else:
        assert picture.shape == (size[0], width_of(style, size[1]), 3)


@pytest.mark.parametrize("style", STYLES)
def test_unknown_flow(style):
    flow = moving_right()
    flow[10:30] = np.nan
    whole = np.full_like(flow, np.nan)
    for one in (flow, whole):
        assert draw(one, style, with_legend=True).dtype == np.uint8


@pytest.mark.parametrize("style", STYLES)
def test_the_legend_leaves_the_picture_as_it_is(style):
    flow = moving_right(150, 40)
    np.testing.assert_array_equal(draw(flow, style, with_legend=True)[:, : width_of(style, 40)], draw(flow, style))


@pytest.mark.parametrize("style", STYLES)
def test_the_legend_depends_on_the_scale(style):
    flow = moving_right(150, 40)
    legends = [draw(flow, style, with_legend=True, max_flow=max_flow)[:, 40:] for max_flow in (10.0, 20.0)]
    assert (legends[0] != legends[1]).any()


def test_the_overlay_shows_the_frame_where_nothing_moves_or_is_known():
    flow = moving_right()
    flow[:20] = 0
    flow[20:40] = np.nan
    frame = frame_for(flow)
    picture = overlay(flow, frame)
    np.testing.assert_array_equal(picture[:40], frame[:40])
    # 80 % of red, the colour of motion to the right
    np.testing.assert_allclose(picture[40:], 0.8 * np.array([255, 0, 0]) + 0.2 * frame[40:], atol=1)


def test_arrows_point_along_the_flow_and_are_as_long_as_the_grid_is_wide():
    flow = np.full((60, 60, 2), np.nan, np.float32)
    flow[30, 30] = [0, 7]
    picture = arrows(flow, spacing=20, max_flow=7.0)
    # one arrow would start at (10, 10), (30, 10) ...; only that at (30, 30) is known
    rows, columns = np.nonzero((picture != 255).any(2))
    assert 48 <= rows.max() <= 53 and 27 <= rows.min() <= 30
    assert abs(columns.mean() - 30) < 0.5
    longer = arrows(flow, spacing=20, max_flow=0.1)
    np.testing.assert_array_equal(longer, picture)


def test_arrows_leave_the_frame_they_are_drawn_on_unchanged():
    flow = moving_right()
    frame = frame_for(flow)
    before = frame.copy()
    assert (arrows(flow, frame=frame) != frame).any()
    np.testing.assert_array_equal(frame, before)


def test_what_does_not_fit_together_is_refused():
    flow = moving_right()
    with pytest.raises(InputError, match="color, arrows, overlay, magnitude"):
        draw_flow(flow, "colour")
    with pytest.raises(InputError, match="drawn over a frame"):
        draw_flow(flow, "overlay")
    with pytest.raises(InputError, match="no use for a frame"):
        draw_flow(flow, "color", frame=frame_for(flow))
    for style in ("arrows", "overlay"):
        with pytest.raises(InputError, match="40 x 30 pixels and the flow 80 x 60"):
            draw_flow(flow, style, frame=frame_for(flow)[:30, :40])
    with pytest.raises(InputError, match="spacing"):
        arrows(flow, spacing=0)
