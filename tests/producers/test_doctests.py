"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import producers

MODULES = [
    found.name for found in pkgutil.walk_packages(producers.__path__, "producers.") if "__main__" not in found.name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_module_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
