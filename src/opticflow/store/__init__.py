"""The flow store: the flow of a clip in a small, seekable folder, with a stated error."""

from opticflow.store.flow_store import FlowReader, FlowStore, StoredPair, open_store
from opticflow.store.format import PACKED_SUFFIX, STORE_SUFFIX, USUAL_ERROR, parse_error
from opticflow.store.sequences import FlowSequence, open_flows
from opticflow.store.stacks import FlowStacks
from opticflow.store.upkeep import Damage, check_store, compact_store, pack_store

__all__ = [
    "PACKED_SUFFIX",
    "STORE_SUFFIX",
    "USUAL_ERROR",
    "Damage",
    "FlowReader",
    "FlowSequence",
    "FlowStacks",
    "FlowStore",
    "StoredPair",
    "check_store",
    "compact_store",
    "open_flows",
    "open_store",
    "pack_store",
    "parse_error",
]
