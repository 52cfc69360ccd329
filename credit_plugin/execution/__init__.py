"""Where a study's jobs run. :mod:`engine` is the protocol, each engine is one module."""
