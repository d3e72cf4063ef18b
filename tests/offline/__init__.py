"""Tests of the offline store."""
