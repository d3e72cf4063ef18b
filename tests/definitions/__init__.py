"""Groups that read the reference group's topic, too, each in a file that FEATURES can name."""
