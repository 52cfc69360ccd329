"""Where a study's jobs run. :mod:`engine` is the protocol, every engine is one module of its own."""
