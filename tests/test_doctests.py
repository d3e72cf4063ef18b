"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import flink
import producers
import twinstream

MODULES = [
    found.name
    for package in (twinstream, producers, flink)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if "__main__" not in found.name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_module_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
