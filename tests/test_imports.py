"""Modules do not import each other in circles, at the top of a file or within functions."""

import pytest

grimp = pytest.importorskip("grimp")


def test_no_module_is_reached_from_itself():
    graph = grimp.build_graph("opticflow", exclude_type_checking_imports=True, cache_dir=None)
    assert "opticflow.io.flow_files" in graph.find_modules_directly_imported_by("opticflow.io")
    left = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while without := {module for module, imported in left.items() if not imported}:
        left = {module: imported - without for module, imported in left.items() if module not in without}
    assert not left, f"these import each other, or lead to those: {sorted(left)}"
