"""The command `twinstream`, also as `python -m twinstream`."""

from twinstream.packages import missing_packages_named


def main(program: str = "twinstream") -> None:
    """Run it under the name that the user has typed."""
    with missing_packages_named():
        from twinstream.cli import main as run

        run(program)


if __name__ == "__main__":
    main("python -m twinstream")
