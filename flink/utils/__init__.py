"""What both runtimes share."""
