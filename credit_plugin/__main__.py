"""``python -m credit_plugin`` is ``credit``."""

from credit_plugin.cli import main

if __name__ == "__main__":
    main()
