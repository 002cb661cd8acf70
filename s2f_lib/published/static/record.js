(async () => {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  const recorder = new MediaRecorder(stream), pieces = [];
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.start();
  await new Promise((done) => setTimeout(done, SECONDS * 1000));
  const stopped = new Promise((done) => (recorder.onstop = done));
  recorder.stop();
  await stopped;
  stream.getTracks().forEach((track) => track.stop());
  const reader = new FileReader();
  reader.readAsDataURL(new Blob(pieces));
  await new Promise((done) => (reader.onload = done));
  return reader.result;
})()
