"""A lazy clip that notes which pairs it estimates, in a module that worker processes can import."""

from pathlib import Path

from opticflow.extract import FlowClip


class CountingFlowClip(FlowClip):
    """Notes the pairs in `estimated`, and in a file that all processes share if one is given."""

    def __init__(self, *arguments, log: Path | None = None, **options):
        super().__init__(*arguments, **options)
        self.estimated: list[int] = []
        self.log = log

    def _estimate(self, run: range) -> None:
        self.estimated += run
        if self.log is not None:
            with self.log.open("a") as file:
                file.write("".join(f"{index}\n" for index in run))
        super()._estimate(run)

    def endless(self) -> None:
        """Estimate all pairs, one after the other, again and again."""
        while True:
            for index in range(len(self)):
                _ = self[index].forward
