"""Error metrics of flow: error maps, their sums over regions, and the averages of each benchmark."""

from opticflow.metrics.intervals import bootstrap_interval as bootstrap_interval
from opticflow.metrics.maps import METRICS as METRICS
from opticflow.metrics.maps import angular_error as angular_error
from opticflow.metrics.maps import end_point_error as end_point_error
from opticflow.metrics.maps import fl_outliers as fl_outliers
from opticflow.metrics.maps import nearest_truth as nearest_truth
from opticflow.metrics.maps import outliers as outliers
from opticflow.metrics.maps import weighted_inliers as weighted_inliers
from opticflow.metrics.protocols import PROTOCOLS as PROTOCOLS
from opticflow.metrics.protocols import Column as Column
from opticflow.metrics.protocols import Protocol as Protocol
from opticflow.metrics.regions import REGIONS as REGIONS
from opticflow.metrics.regions import motion_boundaries as motion_boundaries
from opticflow.metrics.sums import Sums as Sums
from opticflow.metrics.sums import Totals as Totals
from opticflow.metrics.sums import measure as measure
