// node voice2face_node.js voice2face.js weights.js clips.f32 answers.f32 [prepare]
// Clips of six seconds as raw float32, one after the other -> for each the image, the landmarks and the 1,000 numbers
// behind f_dec as raw float32; printed as JSON: milliseconds of processor time for the weights and for each face.
// With "prepare" the clips are one recording of any length: its six seconds, and as JSON what is said of them.
"use strict";
const fs = require("fs");
const [code, weights, clips, answers] = process.argv.slice(2, 6).map((name) => require("path").resolve(name));
const job = process.argv[6];
const V = require(code);
require(weights);

const milliseconds = async (work) => {
  const before = process.cpuUsage(), result = await work(), { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1e3];
};

(async () => {
  const [net, loading] = await milliseconds(() => V.unpack(globalThis.S2F_WEIGHTS)), faces = [], seconds = [];
  const sound = new Float32Array(new Uint8Array(fs.readFileSync(clips)).buffer), samples = net.config.audio.clip_samples;
  if (job === "prepare") {
    const { wave, ...said } = V.prepare(net, sound);
    if (wave) fs.writeFileSync(answers, Buffer.from(wave.buffer));
    return console.log(JSON.stringify(said));
  }
  for (let at = 0; at < sound.length; at += samples) {
    const [face, time] = await milliseconds(() => V.face(net, sound.subarray(at, at + samples)));
    faces.push(face.image, face.landmarks, face.first);
    seconds.push(time);
  }
  fs.writeFileSync(answers, Buffer.concat(faces.map((x) => Buffer.from(x.buffer))));
  console.log(JSON.stringify({ loading, faces: seconds }));
})();
