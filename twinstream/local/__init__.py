"""Services of Java's as processes on this machine: their jars, ports, temporary files and pid files."""
