"""Properties F(theta): generated images in, one number out.

:mod:`registry` says what a property is, :mod:`suite` measures all of a study's properties on the
same samples, :mod:`observers` are the networks whose features some of them need. Each property is
one module of its own.
"""
