"""Training reads shards as a stream: shuffled, shared over processes, and the same after a restart."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from s2f_lib.audio import SAMPLE_RATE
from s2f_lib.corpus import storage
from s2f_lib.corpus.shards import Shard, ShardError

OPEN_SHARDS = 16  # kept open at a time
MEAN_CLIPS = 4096  # read for the mean feature, from at most OPEN_SHARDS shards


class ShardSource:
    """Batches of one split of a corpus, as `s2f_lib.training` wants them.

    An epoch takes the shards in a random order, a window of them at a time, and shuffles the clips of a window. What
    `batches` gives depends only on the plan and the step, so a run that starts again at any step goes on as if nothing
    had happened, and several processes together see exactly what one would. A shard at an address is fetched when it is
    first asked for, into a temporary file; at most `OPEN_SHARDS` are there at a time.

    Parameters
    ----------
    shards : sequence of (path, number of clips, SHA-256 or None)
        In a fixed order, at least one. A shard is held against its checksum when it is first opened.
    speakers : dict
        speaker_id -> number.
    window : int
        Shards shuffled together; more is better mixed, fewer read more in sequence.
    about : dict, optional
        Which clips these are, see `Corpus.about`.
    """

    def __init__(
        self,
        shards: Sequence[tuple[storage.Location, int, str | None]],
        speakers: dict[str, int],
        window: int = 16,
        about: dict | None = None,
    ):
        if not shards:
            raise ValueError("this split of the corpus has no shard")
        self.paths = [storage.resolve(path) for path, _, _ in shards]
        self.sizes = np.array([clips for _, clips, _ in shards])
        self._firsts = np.cumsum(self.sizes) - self.sizes  # number of each shard's first clip
        self._checksums: list[str | None] = [checksum for _, _, checksum in shards]  # None once compared
        self.speakers, self.window, self.about = speakers, window, about or {}
        self._open: OrderedDict[int, Shard] = OrderedDict()
        self._epochs: dict[tuple, tuple] = {}

    def __len__(self) -> int:
        return int(self.sizes.sum())

    @property
    def mean_feature(self) -> np.ndarray:
        """Mean of v_f over at most 4,096 clips, evenly spaced in at most 16 evenly spaced shards, (D,) float32."""
        shards = np.unique(np.linspace(0, len(self.paths) - 1, min(len(self.paths), OPEN_SHARDS)).astype(int))
        rows = self._clips_of(shards)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MEAN_CLIPS)).astype(int))]
        return np.mean([self._member(row, "v_f.npy") for row in rows], axis=0, dtype=np.float64).astype(np.float32)

    def batches(self, plan, start: int = 0) -> Iterator[dict]:
        """Endless batches from step `start` on; `plan` is a `s2f_lib.training.sources.Plan`."""
        step = start
        while True:
            rows = self.rows(plan.seed, step * plan.batch_size, plan.batch_size)
            shifts = np.zeros(plan.batch_size, int)
            if plan.random_start:
                shifts = np.random.default_rng((plan.seed, 2, step)).integers(1 << 30, size=plan.batch_size)
            yield self.take(plan.share(rows), plan.seconds, plan.share(shifts))
            step += 1

    def rows(self, seed: int, first: int, count: int) -> np.ndarray:
        """Numbers of the clips at places first ... first + count - 1 of the endless shuffled sequence."""
        rows = []
        while len(rows) < count:
            epoch, position = divmod(first + len(rows), len(self))
            starts, windows = self._epoch(seed, epoch)
            number = int(np.searchsorted(starts, position, side="right")) - 1
            order = self._shuffled(seed, epoch, number, windows[number])
            rows.extend(order[position - starts[number] :][: count - len(rows)])
        return np.array(rows)

    def take(self, rows: np.ndarray, seconds: float | None = None, shifts: np.ndarray | None = None) -> dict:
        """The batch of these clips: waveform int16 (B, T), v_f, logits if stored, speaker, clip."""
        import torch

        waves = [self._member(row, "wav" if "wav" in self._endings(row) else "flac") for row in rows]
        if shifts is not None:
            waves = [np.roll(wave, -(shift % len(wave))) if shift else wave for wave, shift in zip(waves, shifts)]
        length = None if seconds is None else round(seconds * SAMPLE_RATE)
        batch = {"waveform": torch.from_numpy(self._stacked(rows, [wave[:length] for wave in waves], "sound"))}
        for name, ending in (("v_f", "v_f.npy"), ("logits", "logits.npy")):
            if ending in self._endings(rows[0]):
                features = self._stacked(rows, [self._member(row, ending) for row in rows], ending)
                batch[name] = torch.from_numpy(features.astype(np.float32))
        speakers = [self._speaker(row) for row in rows]
        batch["speaker"] = torch.tensor(speakers, dtype=torch.int64)
        batch["clip"] = torch.as_tensor(np.asarray(rows), dtype=torch.int64)
        return batch

    def _stacked(self, rows: Sequence[int], arrays: Sequence[np.ndarray], what: str) -> np.ndarray:
        """Arrays of equal shape as one; another shape is told with its shard."""
        for row, array in zip(rows, arrays):
            if array.shape != arrays[0].shape:
                shard, key = self._at(row)
                shapes = f"{array.shape}, others have {arrays[0].shape}"
                raise ShardError(f"{shard.path}: {what} of {key} has the shape {shapes}; the shard is damaged")
        return np.stack(arrays)

    def _speaker(self, row: int) -> int:
        """Number of the speaker of a clip."""
        speaker = self._member(row, "json").get("speaker_id")
        if speaker not in self.speakers:
            shard, key = self._at(row)
            raise ShardError(f"{shard.path}: {key}.json names the speaker {speaker!r}, who is in no split")
        return self.speakers[speaker]

    def _epoch(self, seed: int, epoch: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Where the windows of an epoch start, and the shards of each."""
        if (seed, epoch) not in self._epochs:
            order = np.random.default_rng((seed, 0, epoch)).permutation(len(self.paths))
            windows = [order[i : i + self.window] for i in range(0, len(order), self.window)]
            sizes = [self.sizes[window].sum() for window in windows]
            self._epochs = {(seed, epoch): (np.concatenate([[0], np.cumsum(sizes)[:-1]]), windows)}
        return self._epochs[seed, epoch]

    def _clips_of(self, shards: np.ndarray) -> np.ndarray:
        """Numbers of the clips of some shards."""
        return np.concatenate([self._firsts[shard] + np.arange(self.sizes[shard]) for shard in shards])

    def _shuffled(self, seed: int, epoch: int, number: int, shards: np.ndarray) -> np.ndarray:
        """Numbers of the clips of a window, shuffled."""
        key = (seed, epoch, number)
        if getattr(self, "_window", (None,))[0] != key:
            self._window = (key, np.random.default_rng((seed, 1, epoch, number)).permutation(self._clips_of(shards)))
        return self._window[1]

    def _at(self, row: int) -> tuple[Shard, str]:
        """The open shard of a clip and the clip's key."""
        number = int(np.searchsorted(self._firsts, row, side="right")) - 1
        if number not in self._open:
            while len(self._open) >= OPEN_SHARDS:
                self._open.popitem(last=False)[1].close()
            shard = Shard(self.paths[number], sha256=self._checksums[number])
            self._checksums[number] = None
            if len(shard.keys) != self.sizes[number]:
                shard.close()
                raise ShardError(
                    f"{self.paths[number]} holds {len(shard.keys)} clips, corpus.json says {self.sizes[number]}; "
                    "build the shards again"
                )
            self._open[number] = shard
        self._open.move_to_end(number)
        shard = self._open[number]
        return shard, shard.keys[row - int(self._firsts[number])]

    def _endings(self, row: int) -> set[str]:
        shard, key = self._at(row)
        return set(shard.members[key])

    def _member(self, row: int, ending: str) -> object:
        shard, key = self._at(row)
        if ending == "v_f.npy" and ending not in shard.members[key]:
            raise ShardError(f"{shard.path} has no face features; add them with s2f corpus extract_features")
        return shard.read(key, ending)

    def __getstate__(self):
        """Open files stay behind when a source goes to another process."""
        return self.__dict__ | {"_open": OrderedDict()}
