"""Synthetic, believable, reproducible payment data: profiles (what) x sinks (where to) x pacing (when)."""
