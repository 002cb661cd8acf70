"""Commands that make a corpus, one per step; they parse arguments and call `s2f_lib.corpus`."""
