"""Where readers of the original description look for the parts that both runtimes share."""
