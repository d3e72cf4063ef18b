"""`python -m features`."""

from twinstream.packages import missing_packages_named

with missing_packages_named():
    from features.cli import main

    main()
