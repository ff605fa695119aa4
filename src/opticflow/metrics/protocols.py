"""The figures that each benchmark reports, and how it averages. `docs/evaluation.md` shows the same as a table."""

from dataclasses import dataclass

from opticflow.metrics.sums import Average, Sums, Totals


@dataclass(frozen=True)
class Column:
    """One figure of a benchmark's table."""

    name: str
    metric: str
    """A key of `METRICS`."""
    region: str = "all"
    """A key of `REGIONS`."""
    average: Average = "pixels"

    def of(self, totals: Totals) -> float:
        """Return the figure over a data set."""
        return totals.mean(self.metric, self.region, self.average)

    def of_image(self, image: Sums) -> float:
        """Return the figure of one image, where both kinds of averaging are equal."""
        return image.mean(self.metric, self.region)


@dataclass(frozen=True)
class Protocol:
    """The figures of a benchmark's table."""

    name: str
    columns: tuple[Column, ...]
    source: str
    """Where the definition was published."""

    @property
    def averaging(self) -> str:
        """How the columns are averaged, as text."""
        ways = {column.average for column in self.columns}
        if len(ways) == 2:
            return ", ".join(f"{column.name} over {column.average}" for column in self.columns)
        return f"over {ways.pop()}"


_BY_LENGTH = ("s0-10", "s10-40", "s40+")

_PROTOCOLS = (
    Protocol(
        "Sintel",
        (
            Column("EPE", "EPE"),
            Column("matched", "EPE", "matched"),
            Column("unmatched", "EPE", "unmatched"),
            *(Column(region, "EPE", region) for region in ("d0-10", "d10-60", "d60-140", *_BY_LENGTH)),
            Column("1px", "1px"),
            Column("3px", "3px"),
            Column("5px", "5px"),
        ),
        "Butler, Wulff, Stanley, Black, ECCV 2012; 1px, 3px, 5px as reported with RAFT (Teed, Deng, ECCV 2020)",
    ),
    Protocol(
        "KITTI",
        (
            Column("EPE", "EPE", average="images"),
            Column("Fl-all", "Fl"),
            Column("EPE-noc", "EPE", "matched", "images"),
            Column("Fl-noc", "Fl", "matched"),
        ),
        "Menze, Geiger, CVPR 2015 (Fl, all pixels pooled); EPE as papers report it, the mean of the images' means",
    ),
    Protocol(
        "KITTI-2012",
        (
            Column("Out-Noc", "3px", "matched", "images"),
            Column("Out-All", "3px", "all", "images"),
            Column("Avg-Noc", "EPE", "matched", "images"),
            Column("Avg-All", "EPE", "all", "images"),
        ),
        "Geiger, Lenz, Urtasun, CVPR 2012: the mean of the images' figures",
    ),
    Protocol(
        "Spring",
        (
            Column("1px", "1px"),
            *(Column(f"1px {region}", "1px", region) for region in (*_BY_LENGTH, "matched", "unmatched")),
            Column("EPE", "EPE"),
            Column("Fl", "Fl"),
            Column("WAUC", "WAUC"),
        ),
        "Mehl, Schmalfuss, Jahedi, Nalivayko, Bruhn, CVPR 2023",
    ),
    Protocol("FlyingChairs", (Column("EPE", "EPE"),), "Dosovitskiy et al., FlowNet, ICCV 2015"),
    Protocol(
        "Middlebury",
        (
            Column("EPE", "EPE", average="images"),
            Column("AAE", "AAE", average="images"),
            Column("R0.5", "0.5px", average="images"),
            Column("R1.0", "1px", average="images"),
            Column("R2.0", "2px", average="images"),
        ),
        "Baker et al., IJCV 2011",
    ),
    Protocol(
        "per-image",
        (
            Column("EPE", "EPE", average="images"),
            Column("Fl", "Fl", average="images"),
            Column("1px", "1px", average="images"),
            Column("3px", "3px", average="images"),
            Column("5px", "5px", average="images"),
            Column("AAE", "AAE", average="images"),
            Column("WAUC", "WAUC", average="images"),
        ),
        "no benchmark: every image counts the same, for sets of pairs from many sources",
    ),
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _PROTOCOLS}
