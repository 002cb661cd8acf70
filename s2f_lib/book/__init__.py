"""The book's own room: its look (`plotting`), its explorers (`widgets`), and how its pages run (`pages`)."""

from s2f_lib.book.parameters import claims

__all__ = ["claims"]
