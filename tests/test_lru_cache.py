"""The cache both runtimes keep states in."""

from twinstream.lru_cache import LruCache


def test_the_entries_used_longest_ago_go_first() -> None:
    cache = LruCache({"a": 1, "b": 2, "c": 3})
    cache.touch("b")
    cache.trim(2)
    assert list(cache) == ["c", "b"]


def test_a_new_entry_counts_as_used() -> None:
    cache = LruCache({"a": 1, "b": 2})
    cache["c"] = 3
    cache.trim(1)
    assert cache == {"c": 3}


def test_an_entry_that_is_only_read_or_replaced_keeps_its_place() -> None:
    cache = LruCache({"a": 1, "b": 2})
    assert cache.get("a") == 1
    cache["a"] = 4
    cache.trim(1)
    assert cache == {"b": 2}


def test_a_cache_within_its_capacity_keeps_everything() -> None:
    cache = LruCache({"a": 1, "b": 2})
    cache.trim(5)
    assert list(cache) == ["a", "b"]


def test_a_cache_without_capacity_keeps_nothing() -> None:
    cache = LruCache({"a": 1, "b": 2})
    cache.trim(0)
    assert not cache
