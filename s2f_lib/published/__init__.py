"""The authors' own outputs, measured again: 968 AVSpeech and 336 VoxCeleb examples, fetched, never redistributed."""
