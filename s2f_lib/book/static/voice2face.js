// Voice to face in plain JavaScript: no library, no WebAssembly, no request.
//
// The shipped networks of s2f_lib, number for number up to the rounding of the weights to 8 bits: a waveform becomes a
// spectrogram, the voice encoder makes 1,000 numbers of it (v_s behind the decoder's first layer, f_dec), and the
// decoder makes landmarks, a texture and the warped face of these. The weights come from `s2f weights export-web`.
//
// Everything stands inside one function, so that a page can hand its text to a worker: from a folder (file://) a worker
// can load no other file. Arrays are flat; their shapes stand in the comments, the last axis is the nearest in memory.
"use strict";

function voice2face() {
  const HALF = Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));

  function halfToFloat(bits) { // a 16-bit float
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
  }

  const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

  const dot = (a, b, from = 0) => { let sum = 0; for (let i = 0; i < b.length; i++) sum += a[from + i] * b[i]; return sum; };

  // --- the weights

  // What `s2f weights export-web` wrote -> {config, name: Float32Array, ...}. A matrix is stored with one scale and
  // 8 bits per number for each row ("q"), other large arrays as 16-bit floats ("h"), small ones as 32-bit floats ("f").
  async function unpack(file) {
    if (file.format !== 1) throw new Error(`these weights have format ${file.format}, this page reads format 1`);
    const unzipped = new Blob([bytesOf(file.packed)]).stream().pipeThrough(new DecompressionStream("gzip"));
    const raw = await new Response(unzipped).arrayBuffer();
    const net = { config: file.config };
    for (const [name, [kind, at, shape]] of Object.entries(file.arrays)) {
      const size = shape.reduce((a, b) => a * b, 1);
      if (kind === "f") net[name] = new Float32Array(raw, at, size);
      else if (kind === "h") net[name] = Float32Array.from(new Uint16Array(raw, at, size), (bits) => HALF[bits]);
      else net[name] = dequantised(raw, at, shape[0], size / shape[0]);
    }
    return net;
  }

  function dequantised(raw, at, rows, columns) { // -> (rows, columns)
    const scale = new Float32Array(raw, at, rows), whole = new Int8Array(raw, at + 4 * rows, rows * columns);
    const matrix = new Float32Array(rows * columns);
    for (let r = 0, i = 0; r < rows; r++) for (let c = 0; c < columns; c++, i++) matrix[i] = whole[i] * scale[r];
    return matrix;
  }

  // --- sound

  // Windowed-sinc filter of s2f_lib.audio.resample (torchaudio, 32 zero crossings, roll-off 0.99), from a table.
  function resample(wave, from, to) { // (n,) at `from` Hz -> (ceil(n * to / from),) at `to` Hz
    if (from === to) return wave;
    const crossings = 32, fine = 512, cutoff = 0.99 * Math.min(1, to / from); // of the source's half rate
    const table = new Float64Array(crossings * fine + 2);
    for (let i = 0; i <= crossings * fine; i++) {
      const t = i / fine, window = Math.cos((Math.PI * t) / crossings / 2) ** 2;
      table[i] = cutoff * window * (i ? Math.sin(Math.PI * t) / (Math.PI * t) : 1);
    }
    const out = new Float32Array(Math.ceil((wave.length * to) / from)), reach = crossings / cutoff;
    for (let i = 0; i < out.length; i++) {
      const middle = (i * from) / to, end = Math.min(wave.length - 1, Math.floor(middle + reach));
      let sum = 0;
      for (let k = Math.max(0, Math.ceil(middle - reach)); k <= end; k++) {
        const at = Math.abs(k - middle) * cutoff * fine, left = at | 0, part = at - left;
        sum += wave[k] * (table[left] + part * (table[left + 1] - table[left]));
      }
      out[i] = sum;
    }
    return out;
  }

  // Channels [(n,), ...] -> their average (n,); of channels that cancel each other the loudest. As audio.to_mono has it.
  function mix(net, channels) {
    const mean = channels[0].map((_, i) => channels.reduce((sum, c) => sum + c[i], 0) / channels.length);
    const powers = channels.map((c) => dot(c, c)), all = powers.reduce((a, b) => a + b, 0);
    const cancelled = channels.length > 1 && dot(mean, mean) < (0.1 * all) / channels.length ** 2;
    return cancelled ? channels[powers.indexOf(Math.max(...powers))] : mean;
  }

  // What may be heard as a voice, as s2f_lib.audio.level has it: the loudest six seconds that hold speech, brought to the
  // usual level; or a sentence that says what is wrong. The constants come with the weights (`rules`).
  function prepare(net, recording) { // (n,) at 16 kHz -> {wave: (samples,), start, level, note} or {complaint}
    const { sample_rate: rate, clip_samples: samples } = net.config.audio, rules = net.config.rules;
    const seconds = recording.length / rate, searched = recording.subarray(0, rules.searched * rate);
    if (seconds < rules.shortest) return { complaint: `This is ${seconds.toFixed(1)} s of sound; at least ${rules.shortest} s of speech are needed.` };
    const start = loudestStart(pieceLevels(searched, rate, rules), samples / rate, rules) * rate;
    const wave = recording.slice(start, start + samples), levels = pieceLevels(wave, rate, rules);
    const loudest = levels.reduce((a, b) => Math.max(a, b)), level = levelOf(levels, rules);
    if (loudest < rules.silent_db) return { complaint: `This is silent: ${loudest < -190 ? "there is nothing in it" : `its loudest moment is at ${loudest.toFixed(0)} dB`}. Is the right microphone chosen, and is it on?` };
    const clipped = wave.reduce((n, x) => n + (Math.abs(x) >= rules.clipped_at), 0) / wave.length;
    if (clipped > rules.clipped_share) return { complaint: `This is distorted: ${(100 * clipped).toFixed(0)} % of it hit the limit of the microphone. Speak less loudly, or from further away.` };
    if (isSteady(wave, levels, rate, rules)) return { complaint: `There is no speech in this, only a steady noise at ${level.toFixed(0)} dB.` };
    const note = recording.length > samples ? `its loudest six seconds, from ${(start / rate).toFixed(1)} s on` : "";
    return { wave: fitToClip(leveled(wave, level, rules), samples), start: start / rate, level, note };
  }

  // Power in the band of speech in every 50 ms, in dB of full scale; a rest at the end is a piece of its own.
  function pieceLevels(wave, rate, { piece, band, eps }) { // (n,) -> (ceil(n / size),)
    const size = Math.round(piece * rate), few = 32, strands = size / few, fft = fourier(few); // 800 = 25 strands of 32
    const cos = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    const sin = Float64Array.from({ length: size }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    const low = Math.ceil(band[0] * piece), high = Math.floor(band[1] * piece); // lines of the spectrum, 20 Hz apart
    const re = new Float64Array(size), im = new Float64Array(size); // (strands, few), the spectrum of each strand
    return Float64Array.from({ length: Math.ceil(wave.length / size) }, (_, p) => {
      for (let r = 0; r < strands; r++) {
        const [a, b] = fft((i) => wave[p * size + i * strands + r] || 0);
        re.set(a, r * few); im.set(b, r * few);
      }
      let power = 0;
      for (let k = low; k <= high; k++) {
        let x = 0, y = 0;
        for (let r = 0, i = k % few, turn = 0; r < strands; r++, i += few, turn = (turn + k) % size) {
          x += re[i] * cos[turn] + im[i] * sin[turn];
          y += im[i] * cos[turn] - re[i] * sin[turn];
        }
        power += x * x + y * y;
      }
      return 10 * Math.log10((2 * power) / size ** 2 + eps);
    });
  }

  function levelOf(levels, { gate_db }) { // of the pieces that are no pauses
    const floor = levels.reduce((a, b) => Math.max(a, b)) - gate_db, loud = levels.filter((x) => x > floor);
    return 10 * Math.log10(loud.reduce((sum, x) => sum + 10 ** (x / 10), 0) / loud.length);
  }

  function leveled(wave, level, { usual_db }) { // without its mean, at the usual level, never above 1
    const mean = wave.reduce((sum, x) => sum + x, 0) / wave.length, peak = wave.reduce((most, x) => Math.max(most, Math.abs(x - mean)), 0);
    const gain = Math.min(10 ** ((usual_db - level) / 20), 1 / peak);
    return wave.map((x) => (x - mean) * gain);
  }

  function loudestStart(levels, seconds, { silent_db, gate_db, piece, shortest }) { // s; where six stand highest above the pauses
    const width = Math.round(seconds / piece);
    if (levels.length <= width) return 0;
    const loudest = levels.slice().sort().at(-Math.round(shortest / piece)), floor = Math.max(silent_db, loudest - gate_db);
    const above = levels.map((x) => Math.min(Math.max(x - floor, 0), gate_db)); // a click is louder than the speech behind it
    let sum = above.subarray(0, width).reduce((a, b) => a + b, 0), most = sum, best = 0;
    for (let i = 0; i + width < levels.length; i++) {
      sum += above[i + width] - above[i];
      if (sum > most + 1e-6) [most, best] = [sum, i + 1];
    }
    return best * piece;
  }

  // Whether a sound neither comes and goes nor has the period of a voice, like a hiss or a hum.
  function isSteady(wave, levels, rate, { piece, steady_db, periodic, same, eps }) {
    const size = Math.round(piece * rate), count = Math.floor(wave.length / size), whole = levels.slice(0, count).sort();
    if (count < 10 || percentile(whole, 0.9) - percentile(whole, 0.1) > 2 * steady_db) return false;
    const likeness = (start, length, first, last, overlap) => { // with itself `first` to `last` samples later, at most
      const x = Float64Array.from({ length }, (_, i) => wave[start + i + 1] - wave[start + i]), own = Math.max(dot(x, x), eps);
      let most = -1;
      for (let lag = first; lag < last; lag++) most = Math.max(most, dot(x, x.subarray(0, length - lag), lag) / own / overlap(lag));
      return most;
    };
    const strengths = Float64Array.from({ length: count }, (_, p) => likeness(p * size, size - 1, 40, 320, () => 1));
    if (percentile(strengths.sort(), 0.5) < periodic) return true;
    const some = Math.min(wave.length, 40 * size) - 1; // two seconds
    return likeness(0, some, Math.floor(some / 4), Math.floor(some / 2), (lag) => 1 - lag / some) > same;
  }

  function percentile(sorted, share) { // between the two nearest, as numpy does
    const at = share * (sorted.length - 1), left = Math.floor(at), right = Math.min(left + 1, sorted.length - 1);
    return sorted[left] + (at - left) * (sorted[right] - sorted[left]);
  }

  // The recording played faster by `factor`, which moves pitch and vocal tract up together, and only its beginning.
  function changed(net, wave, factor, seconds) {
    const { sample_rate: rate, clip_samples: samples } = net.config.audio;
    const played = factor === 1 ? wave : resample(wave, rate * factor, rate);
    return fitToClip(played.subarray(0, Math.round(seconds * rate)), samples);
  }

  // The first six seconds, or the sound again and again until it is that long; s2f_lib.audio.fit_to_clip.
  function fitToClip(wave, samples) {
    return Float32Array.from({ length: samples }, (_, i) => wave[i % wave.length]);
  }

  // Compressed spectrogram, sgn(x) |x| ** 0.3, of the size alone (1 part) or of real and imaginary part (2 parts).
  function spectrogram(wave, config) { // (samples,) -> {data: (parts, frames, 257), parts, frames, bins}
    const { n_fft: N, win_length: W, hop_length: hop, power, eps } = config.audio, parts = config.parts;
    const frames = Math.floor((wave.length - W) / hop) + 1, bins = N / 2 + 1;
    const data = new Float32Array(parts * frames * bins), fft = fourier(N);
    const hann = Float64Array.from({ length: W }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / W));
    const compress = (x) => x * Math.max(Math.abs(x), eps) ** (power - 1);
    for (let t = 0; t < frames; t++) {
      const [re, im] = fft((i) => (i < W ? wave[t * hop + i] * hann[i] : 0));
      for (let k = 0; k < bins; k++) {
        const at = t * bins + k;
        if (parts === 1) data[at] = compress(Math.sqrt(re[k] * re[k] + im[k] * im[k]));
        else { data[at] = compress(re[k]); data[frames * bins + at] = compress(im[k]); }
      }
    }
    return { data, parts, frames, bins };
  }

  // Fast Fourier transform of N real numbers, N a power of 2; returns a function that reuses its arrays.
  function fourier(N) {
    const re = new Float64Array(N), im = new Float64Array(N), order = new Uint32Array(N);
    const cos = Float64Array.from({ length: N / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / N));
    const sin = Float64Array.from({ length: N / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / N));
    for (let i = 0; i < N; i++) order[i] = (order[i >> 1] >> 1) | (i & 1 ? N >> 1 : 0); // bits reversed
    return (sample) => {
      im.fill(0);
      for (let i = 0; i < N; i++) re[order[i]] = sample(i);
      for (let half = 1; half < N; half *= 2) {
        const step = N / (2 * half);
        for (let start = 0; start < N; start += 2 * half) for (let j = 0; j < half; j++) {
          const a = start + j, b = a + half, c = cos[j * step], s = sin[j * step];
          const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
          re[b] = re[a] - x; im[b] = im[a] - y;
          re[a] += x; im[a] += y;
        }
      }
      return [re, im];
    };
  }

  // --- layers

  // out[base + r * stride] = w[r] . x + bias[r] for every row of w (rows, n); four rows at a time, which is faster.
  function multiply(w, bias, x, n, out, base = 0, stride = 1) {
    const rows = bias.length;
    let r = 0;
    for (; r + 3 < rows; r += 4) {
      let a = 0, b = 0, c = 0, d = 0;
      for (let i = 0, p = r * n, q = p + n, u = q + n, v = u + n; i < n; i++, p++, q++, u++, v++) {
        const y = x[i];
        a += w[p] * y; b += w[q] * y; c += w[u] * y; d += w[v] * y;
      }
      const at = base + r * stride;
      out[at] = a + bias[r]; out[at + stride] = b + bias[r + 1];
      out[at + 2 * stride] = c + bias[r + 2]; out[at + 3 * stride] = d + bias[r + 3];
    }
    for (; r < rows; r++) {
      let sum = bias[r];
      for (let i = 0; i < n; i++) sum += w[r * n + i] * x[i];
      out[base + r * stride] = sum;
    }
  }

  function linear(net, name, x) {
    const bias = net[`${name}.bias`], out = new Float32Array(bias.length);
    multiply(net[`${name}.weight`], bias, x, x.length, out);
    return out;
  }

  const relu = (x) => x.map((v) => (v > 0 ? v : 0));

  // Convolution without padding: x (C, T, F) -> (O, T', F'), patch by patch.
  function convolve(net, i, x) {
    const [kt, kf] = net.config.kernels[i], [st, sf] = net.config.strides[i], { C, T, F } = x;
    const w = net[`conv${i}.weight`], bias = net[`conv${i}.bias`], patch = new Float32Array(C * kt * kf);
    const time = Math.floor((T - kt) / st) + 1, frequency = Math.floor((F - kf) / sf) + 1;
    const data = new Float32Array(bias.length * time * frequency);
    for (let t = 0; t < time; t++) for (let f = 0; f < frequency; f++) {
      let p = 0;
      for (let c = 0; c < C; c++) for (let a = 0; a < kt; a++) {
        const row = (c * T + t * st + a) * F + f * sf;
        for (let k = 0; k < kf; k++) patch[p++] = x.data[row + k];
      }
      multiply(w, bias, patch, p, data, t * frequency + f, time * frequency);
    }
    return { data, C: bias.length, T: time, F: frequency };
  }

  // ReLU and batch normalisation (as scale and shift, each (C,)), both in place, then the largest of `pool` moments.
  function activate(x, scale, shift, pool) {
    const { C, T, F, data } = x, area = T * F;
    for (let c = 0; c < C; c++) for (let i = c * area; i < (c + 1) * area; i++) {
      data[i] = (data[i] > 0 ? data[i] : 0) * scale[c] + shift[c];
    }
    return pooled(x, pool);
  }

  function pooled({ C, T, F, data }, pool) { // (C, T, F) -> (C, T // pool, F)
    if (pool === 1) return { C, T, F, data };
    const time = Math.floor(T / pool), out = new Float32Array(C * time * F).fill(-Infinity);
    for (let c = 0; c < C; c++) for (let t = 0; t < time * pool; t++) for (let f = 0; f < F; f++) {
      const to = (c * time + Math.floor(t / pool)) * F + f, from = (c * T + t) * F + f;
      if (data[from] > out[to]) out[to] = data[from];
    }
    return { C, T: time, F, data: out };
  }

  // --- the voice encoder: (samples,) -> f_dec(v_s), 1,000 numbers. fc2 and f_dec are one matrix (`first`), exactly.
  function encode(net, wave) {
    const sound = spectrogram(wave, net.config), last = net.config.kernels.length - 1;
    let x = { data: sound.data, C: sound.parts, T: sound.frames, F: sound.bins };
    if (net.config.usual_size) { // every clip to the same mean size, so that loudness does not matter
      let sum = 0;
      for (const v of x.data) sum += Math.abs(v);
      const scale = net.config.usual_size / Math.max(sum / x.data.length, net.config.least_size);
      for (let i = 0; i < x.data.length; i++) x.data[i] *= scale;
    }
    for (let i = 0; i <= last; i++) {
      x = convolve(net, i, x);
      const pool = net.config.pools[i];
      x = i < last ? activate(x, net[`norm${i}.scale`], net[`norm${i}.shift`], pool) : pooled(x, pool);
    }
    const mean = new Float32Array(x.C * x.F); // over time
    for (let c = 0; c < x.C; c++) for (let f = 0; f < x.F; f++) {
      let sum = 0;
      for (let t = 0; t < x.T; t++) sum += x.data[(c * x.T + t) * x.F + f];
      mean[c * x.F + f] = sum / x.T;
    }
    const flat = activate({ data: mean, C: x.C, T: 1, F: x.F }, net[`norm${last}.scale`], net[`norm${last}.shift`], 1);
    return linear(net, "first", relu(linear(net, "fc1", flat.data)));
  }

  // --- the face decoder

  function landmarksOf(net, first) { // (1000,) -> (68, 2), x and y in 0-1 of the picture
    const bent = linear(net, "landmark2", relu(linear(net, "landmark1", relu(first))));
    const straight = linear(net, "landmark_line", first);
    return bent.map((v, i) => net.mean_landmarks[i] + net.config.landmark_unit * (v + straight[i]));
  }

  function textureOf(net, first) { // (1000,) -> (3, S, S) in [0, 1], the face in the mean person's shape
    const { map_size, channels, size: S } = net.config;
    let x = linear(net, "texture_start", relu(first)), side = map_size; // (32, 7, 7)
    channels.forEach((C, i) => {
      x = enlarge(relu(x), C, side, net[`texture${i}.weight`], net[`texture${i}.bias`]);
      side *= 2;
    });
    const share = linear(net, "texture_line", first), half = new Float32Array((3 * S * S) / 4);
    share.forEach((v, k) => { for (let i = 0, at = k * half.length; i < half.length; i++, at++) half[i] += v * net.components[at]; });
    for (let c = 0; c < 3; c++) for (let row = 0; row < S; row++) for (let column = 0; column < S; column++) {
      const i = (c * S + row) * S + column;
      const coarse = bilinear(half, c, S / 2, (column + 0.5) / 2 - 0.5, (row + 0.5) / 2 - 0.5);
      x[i] = 1 / (1 + Math.exp(-(net.mean_logit[i] + x[i] + coarse)));
    }
    return x;
  }

  // Transposed convolution with stride 2, x (C, S, S) -> (O, 2 S, 2 S); kernels of 4 (padding 1) or 6 (padding 2).
  function enlarge(x, C, S, w, bias) {
    const O = bias.length, k = Math.round(Math.sqrt(w.length / (O * C))), pad = k / 2 - 1, N = 2 * S;
    const out = new Float32Array(O * N * N);
    for (let o = 0; o < O; o++) {
      const plane = out.subarray(o * N * N, (o + 1) * N * N).fill(bias[o]);
      for (let c = 0; c < C; c++) for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) {
        const v = w[((o * C + c) * k + a) * k + b];
        for (let row = 0; row < S; row++) {
          const to = 2 * row - pad + a;
          if (to < 0 || to >= N) continue;
          for (let column = 0; column < S; column++) {
            const at = 2 * column - pad + b;
            if (at >= 0 && at < N) plane[to * N + at] += v * x[(c * S + row) * S + column];
          }
        }
      }
    }
    return out;
  }

  // Value of channel c of a picture (C, S, S) at x, y in pixels, 0 the middle of the first; outside, the border's.
  function bilinear(picture, c, S, x, y) {
    const u = Math.min(S - 1, Math.max(0, x)), v = Math.min(S - 1, Math.max(0, y));
    const left = Math.floor(u), top = Math.floor(v), a = u - left, b = v - top;
    const right = Math.min(S - 1, left + 1), low = Math.min(S - 1, top + 1), o = c * S * S;
    const above = (1 - a) * picture[o + top * S + left] + a * picture[o + top * S + right];
    return (1 - b) * above + b * ((1 - a) * picture[o + low * S + left] + a * picture[o + low * S + right]);
  }

  // Solve A x = B by elimination with the largest pivot, in place: A (n, n), B (n, m) float64 -> x in B.
  function solve(A, B, n, m) {
    const swap = (M, w, r, s) => { for (let k = 0; k < w; k++) [M[r * w + k], M[s * w + k]] = [M[s * w + k], M[r * w + k]]; };
    for (let c = 0; c < n; c++) {
      let pivot = c;
      for (let r = c + 1; r < n; r++) if (Math.abs(A[r * n + c]) > Math.abs(A[pivot * n + c])) pivot = r;
      if (pivot !== c) { swap(A, n, c, pivot); swap(B, m, c, pivot); }
      for (let r = 0; r < n; r++) {
        const factor = r === c ? 0 : A[r * n + c] / A[c * n + c];
        if (!factor) continue;
        for (let k = c; k < n; k++) A[r * n + k] -= factor * A[c * n + k];
        for (let k = 0; k < m; k++) B[r * m + k] -= factor * B[c * m + k];
      }
    }
    for (let r = 0; r < n; r++) for (let k = 0; k < m; k++) B[r * m + k] /= A[r * n + r];
    return B;
  }

  // Thin-plate spline of s2f_lib.faces.warp: move the texture (3, S, S) so that the mean landmarks land on these.
  function warp(net, texture, landmarks) {
    const { warp_points: K, border, smoothing, size: S, warp_stride: stride } = net.config;
    const n = K + border.length / 2, N = n + 3, A = new Float64Array(N * N), B = new Float64Array(2 * N);
    const P = Float64Array.from({ length: 2 * n }, (_, i) => (i < 2 * K ? landmarks[i] : border[i - 2 * K])); // (n, 2)
    const radial = (x, y, j) => { const s = (x - P[2 * j]) ** 2 + (y - P[2 * j + 1]) ** 2 + 1e-12; return 0.5 * s * Math.log(s); };
    for (let i = 0; i < 2 * K; i++) B[i] = net.mean_landmarks[i] - P[i]; // the shift; zero at the border
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) A[i * N + j] = radial(P[2 * i], P[2 * i + 1], j) + (i === j ? smoothing : 0);
      [1, P[2 * i], P[2 * i + 1]].forEach((v, k) => { A[i * N + n + k] = v; A[(n + k) * N + i] = v; });
    }
    const w = solve(A, B, N, 2), G = S / stride, shift = new Float32Array(2 * G * G); // (2, G, G), on a coarse grid
    for (let row = 0; row < G; row++) for (let column = 0; column < G; column++) {
      const x = (column + 0.5) / G, y = (row + 0.5) / G;
      for (let axis = 0; axis < 2; axis++) {
        let sum = w[2 * n + axis] + w[2 * n + 2 + axis] * x + w[2 * n + 4 + axis] * y;
        for (let j = 0; j < n; j++) sum += radial(x, y, j) * w[2 * j + axis];
        shift[(axis * G + row) * G + column] = sum;
      }
    }
    return pulled(texture, shift, S, G);
  }

  // Colour of each pixel from where the shift (2, G, G) says, which is interpolated bicubically: -> (3, S, S).
  function pulled(texture, shift, S, G) {
    const near = (d, a = -0.75) => (d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a);
    const taps = Array.from({ length: S }, (_, i) => {
      const at = ((i + 0.5) * G) / S - 0.5, left = Math.floor(at);
      return [-1, 0, 1, 2].map((k) => [Math.min(G - 1, Math.max(0, left + k)), near(Math.abs(left + k - at))]);
    });
    const image = new Float32Array(3 * S * S);
    for (let row = 0; row < S; row++) for (let column = 0; column < S; column++) {
      let dx = 0, dy = 0;
      for (const [r, a] of taps[row]) for (const [c, b] of taps[column]) {
        dx += a * b * shift[r * G + c];
        dy += a * b * shift[(G + r) * G + c];
      }
      for (let c = 0; c < 3; c++) image[(c * S + row) * S + column] = bilinear(texture, c, S, column + S * dx, row + S * dy);
    }
    return image;
  }

  function decode(net, first) { // (1000,) -> {image (3, S, S) in [0, 1], landmarks (68, 2), texture (3, S, S)}
    const landmarks = landmarksOf(net, first), texture = textureOf(net, first);
    return { image: warp(net, texture, landmarks), landmarks, texture };
  }

  // --- what else can be read off the 1,000 numbers

  function readAxes(net, first) { // straight lines: {sex: number, age: number}, as exported
    return Object.fromEntries(net.config.axes.map((name, i) => [name, dot(net["axes.weight"], first, i * first.length) + net["axes.bias"][i]]));
  }

  // The people of the gallery whose voices are most like this one: cosine of what differs from the average voice.
  function nearest(net, first, count) { // -> [{index, cosine}], best first
    const centred = first.map((v, i) => v - net["gallery.mean"][i]), length = Math.sqrt(dot(centred, centred));
    const people = net["gallery.voices"].length / first.length; // rows of length 1
    const all = Array.from({ length: people }, (_, i) => ({ index: i, cosine: dot(net["gallery.voices"], centred, i * first.length) / length }));
    return all.sort((a, b) => b.cosine - a.cosine).slice(0, count);
  }

  // One clip of six seconds -> all that the page shows of it.
  function face(net, wave) {
    const first = encode(net, wave), sound = spectrogram(wave, { ...net.config, parts: 1 });
    return { sound, first, ...decode(net, first), axes: readAxes(net, first), nearest: nearest(net, first, 3) };
  }

  return { unpack, mix, resample, prepare, changed, fitToClip, spectrogram, encode, decode, warp, readAxes, nearest, face };
}

if (typeof module !== "undefined") module.exports = voice2face();
