"""The book's own room: its look (`plotting`), its explorers (`widgets`), and how its pages are run (`pages`)."""
