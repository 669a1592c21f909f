"""Runs slixmpp's own integration tests against the cluster and compares with what is known not to work yet.

Usage: itests.py FOLDER   (slixmpp's source distribution). Exits non-zero if a test fails that should pass, or passes
though it is listed in itests-not-yet.txt: then the line there must go.
"""

import logging
import os
import sys
import unittest
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent


def not_yet():
    lines = (HERE / "itests-not-yet.txt").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def tests(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests(test)
        else:
            yield test


class Bounded(unittest.TextTestResult):
    """A result that remembers what passed."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test)


def name(test):
    return test.id().removeprefix("itests.")


def main(folder):
    os.chdir(folder)
    sys.path.insert(0, os.getcwd())
    logging.disable(100)
    excused = not_yet()
    found = [test for path in sorted(Path("itests").glob("test_*.py"))
             for test in tests(import_module(f"itests.{path.stem}").suite)]
    names = {name(test) for test in found}
    wrong = [f"{unknown}: listed as not yet, but there is no such test" for unknown in excused if unknown not in names]
    chosen = unittest.TestSuite(test for test in found if name(test) not in excused)
    result = unittest.TextTestRunner(verbosity=2, resultclass=Bounded).run(chosen)
    wrong += [f"{name(test)}: fails" for test, _ in result.failures + result.errors if hasattr(test, "id")]
    print(f"slixmpp itests: {len(result.passed)} passed, {len(result.failures) + len(result.errors)} failed, "
          f"{len(excused)} not yet, of {len(found)}")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong or not result.wasSuccessful() else 0)


if __name__ == "__main__":
    main(sys.argv[1])
