"""The times of the frames of a video."""

EVEN = 8
"""Number of evenly spaced frames after which a longer interval means that frames are missing."""


class Clock:
    """The presentation times of a video's frames, in seconds from the first."""

    def __init__(self, rate: float):
        self.time = -1.0
        """Time of the last frame, in seconds."""
        self.longest = 0.0
        """Longest interval between two frames, in seconds."""
        self.jumped = False
        """Whether the last frame came late, after at least `EVEN` evenly spaced frames."""
        self._rate, self._count, self._begins = rate, 0, 0.0
        self._pace, self._even = 0.0, True

    def advance(self, stamp: float | None) -> float:
        """Return the time of the next frame. Its time stamp may be missing or, as FFmpeg's guesses for AVI, go back."""
        # a frame without a time stamp is taken to be shown at the average rate
        if stamp is None:
            stamp = self._begins + self._count / self._rate
        if self._count == 0:
            self._begins = stamp
        before, self.time = self.time, stamp - self._begins
        # times always increase: a stamp that goes back is replaced by one frame interval after the last time
        if self.time <= before:
            self.time = before + 1 / self._rate
        between = self.time - before
        if self._count == 1:
            self._pace = between
        if self._count >= 1:
            self.longest = max(self.longest, between)
            # a long interval is a gap only after equal intervals; if the rate varies, long intervals are normal
            self.jumped = self._even and self._count > EVEN and between > 1.5 * self._pace
            # a gap does not make the intervals count as unequal
            self._even = self._even and (self.jumped or between < 1.2 * self._pace)
        self._count += 1
        return self.time
