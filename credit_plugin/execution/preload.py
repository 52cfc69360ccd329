"""What the server of workers imports once, for all that are forked from it.

Nothing of what is imported ever becomes garbage. Looking for some meanwhile takes a sixth of the
time, and looking through it later would copy the pages that workers share; so both are left out,
as the documentation of :func:`gc.freeze` advises for processes that are forked.
"""

import gc

gc.disable()
import threadpoolctl  # noqa: E402, F401 - what limits threads

import credit_plugin.game.utilities.worker  # noqa: E402, F401 - PyTorch and diffusers with it

gc.freeze()
gc.enable()
