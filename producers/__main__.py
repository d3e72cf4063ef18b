"""`python -m producers`."""

from twinstream.packages import missing_packages_named

with missing_packages_named():
    from producers.cli import main

    main()
