"""How hard properties are tried: other examples in every run; a hundred times as many where HYPOTHESIS_PROFILE=deep."""

import os

from hypothesis import HealthCheck, settings

DEPTH = {"usual": 1, "deep": 100}
"""How many times as many examples a profile tries as the usual one."""

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "usual")


def tries(usual: int) -> settings:
    """A decorator: so many examples in the usual profile, more in the deep one."""
    return settings(_new_every_time, max_examples=usual * DEPTH[PROFILE])


# Hypothesis itself would repeat the same examples for ever where it finds the variable CI.
_new_every_time = settings(
    derandomize=False,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
for _profile in DEPTH:
    settings.register_profile(_profile, _new_every_time, max_examples=30 * DEPTH[_profile])
settings.load_profile(PROFILE)
