// The page "Try it": record, drop or choose a voice; see its sound, the face that goes with it, and how sure that is.
// The sound stays in this page: nothing is requested once the networks are here, and nothing is stored.
// Needs voice2face.js before it; fetches voice2face_weights.js from beside itself once the page can be read.
/* global voice2face */
"use strict";

(() => {
  const home = document.querySelector("[data-s2f-try-it]:not([data-started])");
  if (!home) return;
  home.dataset.started = "";
  const beside = document.currentScript && document.currentScript.src; // empty where all is written into one page
  const RECORD_SECONDS = 6, FACE_PIXELS = 336, MAX_MEGABYTES = 200;
  const semitones = (n) => 2 ** (n / 12);
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  let ask = null; // the worker's door, see startWorker
  let page = null; // what the weights' script says about words, people, voices
  let config = null;
  let sound = null; // {wave: six seconds at 16 kHz, first: its 1,000 numbers}; only in memory, gone with the page

  // --- elements

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  }

  const figure = (content, text, kind = "") => make("figure", { class: kind }, content, make("figcaption", {}, text));
  const canvas = (width, height, label) => make("canvas", { width, height, role: "img", "aria-label": label });
  const slider = (label, min, max, step, value) => {
    const input = make("input", { type: "range", min, max, step, value, oninput: followSliders });
    const output = make("output");
    return { input, output, row: make("label", { class: "s2f-slider" }, make("span", {}, label), input, output) };
  };

  const recordButton = make("button", { type: "button", class: "s2f-record", disabled: true, onclick: record }, "● Record six seconds");
  const filePicker = make("input", { type: "file", accept: "audio/*,video/*", disabled: true, onchange: chooseFile });
  const fileDoor = make("label", { class: "s2f-file" }, make("span", {}, "Choose a sound file, or drop it here "), filePicker);
  const meter = make("meter", { min: -60, max: 0, low: -40, high: -3, optimum: -20, value: -60, "aria-label": "level of the microphone in decibels" });
  const meterRow = make("p", { class: "s2f-meter", hidden: true }, "Level ", meter);
  const voices = make("div", { class: "s2f-voices", role: "group", "aria-label": "made-up voices to try" });
  const status = make("p", { class: "s2f-status", role: "status", "aria-live": "polite" }, "The networks are being loaded (6 MB) …");
  const wavePicture = canvas(900, 110, "waveform");
  const spectrumPicture = canvas(598, 257, "spectrogram");
  const player = make("audio", { controls: true, "aria-label": "the voice that the network hears" });
  const facePicture = canvas(FACE_PIXELS, FACE_PIXELS, "face");
  const readings = make("dl", { class: "s2f-readings" });
  const neighbours = make("div", { class: "s2f-people" });
  const size = slider("Pitch and vocal tract, as of a larger or smaller body", -5, 5, 0.5, 0);
  const seconds = slider("How much of the voice is heard", 1, 6, 0.5, 6);
  const turned = make("p", { class: "s2f-turned" });
  const reset = make("button", { type: "button", onclick: resetSliders }, "Back to the voice as it was");
  const results = make("div", { class: "s2f-results", hidden: true });

  function build() {
    const ticks = make("div", { class: "s2f-ticks", "aria-hidden": "true" }, ...[0, 1, 2, 3, 4, 5, 6].map((s) => make("span", {}, s === 6 ? "6 s" : `${s}`)));
    const spectrum = make("div", { class: "s2f-spectrum" }, spectrumPicture, make("span", { "aria-hidden": "true" }, "8 kHz"));
    const drawing = make("div", { class: "s2f-sound" }, wavePicture, spectrum, ticks);
    const faceWords = make("span", {}, make("strong", {}, "An average, nobody's face. "), "So look, on average, the made-up people whose voices sound like this to the network. It is not the speaker.");
    results.append(
      make("div", { class: "s2f-pair" },
        make("div", {}, make("h3", {}, "What the network hears"), figure(drawing, "Waveform, and below it the spectrogram: time to the right, pitch upwards, bright is loud."), player),
        make("div", {}, make("h3", {}, "What it draws"), figure(facePicture, faceWords))),
      make("h3", {}, "What can be read off, and how well"), readings,
      make("h3", {}, "Change the voice, and the face follows"), size.row, seconds.row, turned, reset,
      make("h3", {}, "Three made-up people with the most similar voices"), neighbours);
    home.replaceChildren(
      make("div", { class: "s2f-doors" }, recordButton, fileDoor), meterRow,
      make("p", { class: "s2f-or" }, "No microphone at hand? Take a made-up voice:"), voices, status,
      make("p", { class: "s2f-private" }, "Your sound stays in this page: it is worked on here, sent to nobody and kept nowhere. Close the page and it is gone."), results);
    home.addEventListener("dragover", (e) => { e.preventDefault(); home.classList.add("s2f-over"); });
    home.addEventListener("dragleave", () => home.classList.remove("s2f-over"));
    home.addEventListener("drop", (e) => { e.preventDefault(); home.classList.remove("s2f-over"); useFile(e.dataTransfer.files[0]); });
  }

  function say(text, wrong = false) {
    status.textContent = text;
    status.classList.toggle("s2f-wrong", wrong);
  }

  function refuse(text) { // a sentence instead of a face
    results.hidden = true;
    sound = null;
    say(text, true);
  }

  // --- the networks, in a worker so that the page never stands still

  function startWorker() {
    const work = `"use strict"; const V = (${voice2face})(); let net;
      onmessage = async ({ data }) => {
        try {
          const [job, ...given] = data.job;
          if (job === "unpack") { net = await V.unpack(given[0]); postMessage({ id: data.id }); }
          else postMessage({ id: data.id, answer: V[job](net, ...given) });
        } catch (error) { postMessage({ id: data.id, error: error.message }); }
      };`;
    const worker = new Worker(URL.createObjectURL(new Blob([work], { type: "text/javascript" })));
    const waiting = new Map();
    worker.onmessage = ({ data }) => {
      const [done, failed] = waiting.get(data.id);
      waiting.delete(data.id);
      if (data.error) failed(new Error(data.error)); else done(data.answer);
    };
    let count = 0;
    return (...job) => new Promise((done, failed) => {
      waiting.set(++count, [done, failed]);
      worker.postMessage({ id: count, job });
    });
  }

  function loadWeights() { // a classic script: from a folder a page may fetch nothing, but it may have scripts
    if (globalThis.S2F_WEIGHTS) return Promise.resolve();
    const address = new URL("voice2face_weights.js", beside).href;
    return new Promise((done, failed) => {
      const missing = () => failed(new Error("The networks are not beside this page (voice2face_weights.js); `make book` makes them."));
      document.head.append(make("script", { src: address, onload: done, onerror: missing }));
    });
  }

  async function start() {
    build();
    const lacking = ["Worker", "DecompressionStream", "OfflineAudioContext"].filter((name) => !(name in globalThis));
    if (lacking.length) return refuse(`This browser is too old for the page: it lacks ${lacking.join(", ")}. Firefox 113, Chrome 80, Safari 16.4 and newer have all it needs.`);
    try {
      await loadWeights();
      ({ page, config } = globalThis.S2F_WEIGHTS);
      ask = startWorker();
      await ask("unpack", globalThis.S2F_WEIGHTS);
    } catch (error) {
      return refuse(error.message);
    }
    page.voices.forEach((voice) => voices.append(make("button", { type: "button", onclick: () => useVoice(voice) }, voice.label)));
    filePicker.disabled = false;
    recordButton.disabled = !canRecord();
    const trouble = "A microphone cannot be used here: browsers allow it from https and from files of your own, and only newer ones can record. A file or a made-up voice will do.";
    await useVoice(page.voices[0]); // something to look at before one speaks
    say(`Ready. Below, as an example, ${status.dataset.name}. ${canRecord() ? "Now you." : trouble}`);
  }

  // --- sound in

  const canRecord = () => Boolean(navigator.mediaDevices && navigator.mediaDevices.getUserMedia && globalThis.AudioWorkletNode);

  // Untouched sound: no compression, no cancelling of echo or noise. Samples come in small pieces from the audio thread.
  const RECORDER = `registerProcessor("s2f-recorder", class extends AudioWorkletProcessor {
    process([channels]) { if (channels.length) this.port.postMessage(channels[0].slice()); return true; } });`;

  async function record() {
    const raw = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    let stream = null, context = null;
    recordButton.disabled = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
      context = new AudioContext();
      context.resume(); // not waited for: without a sound card it never comes, see `silent` in listen()
      await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(RECORDER)}`); // from a folder no blob
      const wave = await listen(context, context.createMediaStreamSource(stream));
      stream.getTracks().forEach((track) => track.stop());
      await use(await toClipRate(wave, context.sampleRate), "your recording");
    } catch (error) {
      refuse(microphoneTrouble(error));
    } finally {
      if (stream) stream.getTracks().forEach((track) => track.stop());
      if (context) context.close();
      meterRow.hidden = true;
      recordButton.textContent = "● Record six seconds";
      recordButton.disabled = false;
    }
  }

  function microphoneTrouble(error) {
    if (error.name === "NotAllowedError") return "The microphone was not allowed. Allow it in the bar of the browser and press the button again, or choose a file or a made-up voice.";
    if (error.name === "NotFoundError") return "No microphone was found. Choose a file or a made-up voice instead.";
    return `Nothing could be recorded: ${error.message || error.name}. Choose a file or a made-up voice instead.`;
  }

  function listen(context, source) { // -> (6 s,) at the rate of the context
    const wanted = RECORD_SECONDS * context.sampleRate, wave = new Float32Array(wanted);
    const node = new AudioWorkletNode(context, "s2f-recorder", { numberOfOutputs: 0 });
    let filled = 0, loudest = 0;
    meterRow.hidden = false;
    say("Recording: speak for six seconds.");
    return new Promise((done, failed) => {
      let silent = setTimeout(() => failed(new Error("the microphone sends nothing")), 5000);
      node.port.onmessage = ({ data }) => {
        if (silent) silent = clearTimeout(silent);
        const piece = data.subarray(0, wanted - filled), before = Math.floor((20 * filled) / wanted);
        wave.set(piece, filled);
        filled += piece.length;
        for (const x of piece) loudest = Math.max(loudest, Math.abs(x));
        if (Math.floor((20 * filled) / wanted) === before) return; // the picture moves 20 times in all
        meter.value = 20 * Math.log10(loudest + 1e-6);
        recordButton.textContent = `Recording … ${Math.ceil(RECORD_SECONDS * (1 - filled / wanted))}`;
        loudest = 0;
        if (filled < wanted) return;
        node.port.onmessage = null;
        source.disconnect();
        done(wave);
      };
      source.connect(node);
    });
  }

  async function toClipRate(wave, rate) { // the browser's own resampling
    const length = Math.ceil((wave.length * config.audio.sample_rate) / rate);
    const context = new OfflineAudioContext(1, length, config.audio.sample_rate), source = context.createBufferSource();
    const buffer = context.createBuffer(1, wave.length, rate);
    buffer.copyToChannel(wave, 0); // before it is the source's: Firefox takes the samples at that moment
    source.buffer = buffer;
    source.connect(context.destination);
    source.start();
    return (await context.startRendering()).getChannelData(0);
  }

  async function decodeFile(bytes) { // any file that the browser knows -> one channel at 16 kHz
    const decoded = await new OfflineAudioContext(1, 1, config.audio.sample_rate).decodeAudioData(bytes);
    return ask("mix", Array.from({ length: decoded.numberOfChannels }, (_, c) => decoded.getChannelData(c)));
  }

  function chooseFile({ target }) {
    useFile(target.files[0]);
    target.value = ""; // else the same file, chosen again, would be no change
  }

  async function useFile(file) {
    if (!file || !ask) return;
    if (file.size > MAX_MEGABYTES * 1e6) return refuse(`${file.name} is larger than ${MAX_MEGABYTES} MB. Six seconds are enough: cut it first.`);
    say("The file is being read …");
    let wave;
    try {
      wave = await decodeFile(await file.arrayBuffer());
    } catch {
      return refuse(`${file.name} is no sound that this browser can read. WAV, FLAC, MP3 and M4A work everywhere.`);
    }
    await use(wave, file.name);
  }

  async function useVoice(voice) {
    const bytes = Uint8Array.from(atob(voice.sound), (c) => c.charCodeAt(0));
    await use(await decodeFile(bytes.buffer), `a made-up ${voice.label}`);
  }

  async function use(wave, name) { // all roads lead here; (n,) at 16 kHz
    say("Listening …");
    const heard = await ask("prepare", wave);
    if (heard.complaint) return refuse(heard.complaint);
    sound = { wave: heard.wave, first: null };
    resetSliders(false);
    await show();
    results.hidden = false;
    status.dataset.name = name;
    say(`Here is ${name}${heard.note ? `: ${heard.note}` : ""}.`);
  }

  // --- the face and what stands beside it

  let busy = false, again = false;

  async function followSliders() { // the newest position only, however fast the slider moves
    if (!sound) return;
    nameSliders();
    again = true;
    if (busy) return;
    busy = true;
    while (again) { again = false; await show(); }
    busy = false;
  }

  function resetSliders(draw = true) {
    size.input.value = 0;
    seconds.input.value = RECORD_SECONDS;
    if (draw) followSliders();
  }

  async function show() {
    const shift = Number(size.input.value), part = Number(seconds.input.value), mine = sound;
    nameSliders();
    const changed = await ask("changed", mine.wave, semitones(shift), part);
    const answer = await ask("face", changed);
    mine.first = mine.first || answer.first; // the first answer is that of the unchanged voice
    drawWave(changed);
    drawSpectrum(answer.sound);
    drawFace(answer.image);
    showReadings(answer.axes);
    showNeighbours(answer.nearest);
    showTurn(mine.first, answer.first, shift === 0 && part === RECORD_SECONDS);
    URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(wavFile(changed, config.audio.sample_rate));
    home.dispatchEvent(new CustomEvent("s2f-face", { detail: { wave: changed, ...answer } })); // for who listens: the tests
  }

  function nameSliders() {
    const shift = Number(size.input.value), part = Number(seconds.input.value), factor = semitones(shift);
    size.output.textContent = shift ? `× ${factor.toFixed(2)} (${shift > 0 ? "smaller" : "larger"} body)` : "as it is";
    seconds.output.textContent = part === RECORD_SECONDS ? "all six seconds" : `the first ${part} s, repeated`;
    [size, seconds].forEach(({ input, output }) => input.setAttribute("aria-valuetext", output.textContent));
  }

  function showTurn(a, b, unchanged) {
    const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
    const angle = (Math.acos(Math.min(1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))) * 180) / Math.PI;
    turned.textContent = unchanged
      ? "Move a slider: the recording is played faster or slower, which moves pitch and vocal tract together, or cut short."
      : `The 1,000 numbers behind the face have turned by ${angle.toFixed(0)}° against the voice as it was.`;
  }

  function drawWave(wave) {
    const pen = wavePicture.getContext("2d"), { width, height } = wavePicture, step = wave.length / width;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = "#4a90c4";
    for (let x = 0; x < width; x++) {
      let low = 0, high = 0;
      for (let i = Math.floor(x * step); i < (x + 1) * step; i++) { low = Math.min(low, wave[i]); high = Math.max(high, wave[i]); }
      pen.fillRect(x, (height / 2) * (1 - high), 1, Math.max(1, (height / 2) * (high - low)));
    }
  }

  function drawSpectrum({ data, frames, bins }) { // data (frames, bins)
    spectrumPicture.width = frames;
    const pen = spectrumPicture.getContext("2d"), picture = pen.createImageData(frames, bins);
    const most = data.reduce((a, b) => Math.max(a, b), 1e-6), colours = page.magma;
    for (let t = 0; t < frames; t++) for (let k = 0; k < bins; k++) {
      const at = 4 * ((bins - 1 - k) * frames + t), value = Math.round((data[t * bins + k] / most) * (colours.length - 1));
      picture.data.set([...colours[value], 255], at);
    }
    pen.putImageData(picture, 0, 0);
  }

  function drawFace(image) { // (3, S, S) in [0, 1]; the mark is drawn into the picture and goes where it goes
    const S = config.size, small = canvas(S, S, ""), pen = small.getContext("2d"), picture = pen.createImageData(S, S);
    for (let i = 0; i < S * S; i++) {
      for (let c = 0; c < 3; c++) picture.data[4 * i + c] = Math.round(255 * image[c * S * S + i]);
      picture.data[4 * i + 3] = 255;
    }
    pen.putImageData(picture, 0, 0);
    const large = facePicture.getContext("2d"), side = FACE_PIXELS, font = side / 19, band = Math.round(font * 1.15) + 4;
    large.imageSmoothingQuality = "high";
    large.drawImage(small, 0, 0, side, side);
    large.fillStyle = `rgba(0, 0, 0, ${165 / 255})`;
    large.fillRect(0, side - band, side, band);
    Object.assign(large, { fillStyle: "#fff", font: `${font}px sans-serif`, textAlign: "center", textBaseline: "middle" });
    large.fillText(page.mark, side / 2, side - band / 2, side - 8);
    facePicture.setAttribute("aria-label", `a made face, marked: ${page.mark}. ${page.note}`);
  }

  function showReadings({ sex, age }) {
    const real = (axis, words) => `On real voices: ${axis.real ? words(axis.real) : "not measured yet"}.`;
    const s = page.axes.sex, a = page.axes.age, strength = Math.abs(sex) < 0.25 ? "between the two" : sex > 0 ? "a woman's voice" : "a man's voice";
    const line = (value, low, high, left, right) => make("div", { class: "s2f-line", "aria-hidden": "true" }, make("span", {}, left),
      make("i", {}, make("b", { style: `left: ${Math.min(100, Math.max(0, (100 * (value - low)) / (high - low)))}%` })), make("span", {}, right));
    readings.replaceChildren(
      make("dt", {}, "Sex: ", make("strong", {}, strength)),
      make("dd", {}, line(sex, -1.2, 1.2, "man", "woman"), `Of ${s.synthetic.n} made-up voices that it did not learn from, it reads ${percent(s.synthetic.share)} rightly. `, real(s, (r) => `in ${percent(r.value)} of ${r.n} the face drawn is labelled as the speaker's photograph is`)),
      make("dt", {}, "Age: ", make("strong", {}, `about ${Math.round(age / 5) * 5} years`)),
      make("dd", {}, line(age, 15, 90, "15", "90"), `On the same voices it is off by ${a.synthetic.error.toFixed(0)} years on average; guessing the same age for all is off by ${a.synthetic.guess.toFixed(0)}. `, real(a, (r) => `correlation with the age that a classifier gives the photograph ${r.value.toFixed(2)}, N = ${r.n}`)));
  }

  function showNeighbours(nearest) {
    const people = nearest.map(({ index }) => page.people[index]);
    neighbours.replaceChildren(
      ...people.map((p) => figure(make("img", { src: p.picture, width: 112, height: 112, alt: `rendered face of a made-up person: ${p.label}` }), p.label)),
      make("p", {}, `Of ${page.people.length} made-up people, the network takes their voices for the nearest to this one. Their faces differ all the same: what differs, no voice has told it. ${page.note}`));
  }

  function wavFile(wave, rate) { // 16-bit PCM
    const view = new DataView(new ArrayBuffer(44 + 2 * wave.length)), text = (at, s) => [...s].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
    text(0, "RIFF"); view.setUint32(4, 36 + 2 * wave.length, true); text(8, "WAVEfmt "); view.setUint32(16, 16, true);
    [[20, 1], [22, 1], [32, 2], [34, 16]].forEach(([at, v]) => view.setUint16(at, v, true));
    view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); text(36, "data"); view.setUint32(40, 2 * wave.length, true);
    wave.forEach((x, i) => view.setInt16(44 + 2 * i, 32767 * Math.max(-1, Math.min(1, x)), true));
    return new Blob([view], { type: "audio/wav" });
  }

  requestAnimationFrame(() => setTimeout(start)); // behind the first paint: the text is there before the networks
})();
