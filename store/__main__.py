"""`python -m store`."""

from twinstream.packages import missing_packages_named

with missing_packages_named():
    from twinstream.cli import main

    main()
