"""Robson's packages: wheel, sdist, Debian packages, their bill of materials and their sums."""
