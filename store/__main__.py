"""`python -m store`."""

from twinstream.packages import missing_packages_named

with missing_packages_named():
    from store.cli import main

    main()
