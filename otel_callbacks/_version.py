"""The one place of the package's version: the build, the scope of every span and metric, and the CLI read it."""

__version__ = "0.1.0"
