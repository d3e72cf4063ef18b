"""Whether the results are right: parity, re-derivation, shadow runs, evaluation."""
