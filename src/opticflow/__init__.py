"""Dense optical flow: FlowNet, FlowNet 2.0, RAFT and the classical methods, for images and video."""

__version__ = "0.1.0"
