"""Speech2Face, reproduced: from a voice to a face feature to a picture, on people who never existed.

The rooms, from the ground up; each uses only rooms above it:

- `config`, `hub`, `io`: settings, weights and files by name;
- `audio`, `media`: sound to the paper's spectrogram, video to frame and sound;
- `people`: synthetic people with a known face and voice;
- `faces`: detector, frozen recognisers, face decoder;
- `corpus`: one interface over synthetic, published and downloaded data;
- `voice_encoder`, `losses`, `train`: the network and how it learns;
- `evaluate`: every measure of the paper, with the baselines it left out;
- `book`: its look, its explorers, and how its pages are run.

Importing the package imports none of them.
"""

__version__ = "1.0.0"
