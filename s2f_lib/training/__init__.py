"""The parts of training: settings, sources of batches, the loop, checkpoints, cached targets, sweeps.

Most readers need only `s2f_lib.train`, which puts them together.

Notes
-----
No voice encoder is shipped yet: there was not enough CPU time. What the trial runs taught, as looked at while they ran
and not as recorded results (12,000 speakers with one clip each, 3 s, magnitude input, the ``quick`` network, 400 other
speakers to look at, one seed):

- A run can collapse without a failing loss. v_s started at the mean face with a random fc2, which only adds error; at
  a learning rate of 2e-3 every unit of fc1 fell silent, presumably to be rid of it, and every voice got the same
  answer: 900 steps at exactly 10 % in the nearest tenth. Since then fc2 starts at zero (``start_from_mean``).
- Little of v_f can be heard. About 2 % of its variance goes with the assigned sex and 1.6 % with age; the invented
  group alone takes 5 %, and wild pictures add pose and light. A perfect listener (ridge on the true voice parameters,
  3,900 people) came to 23.5 % in the nearest tenth of 600 and an angle of 63.3 degrees; the mean feature to 10 % and
  65.4. A regression cannot come near the paper's 46 % here: watch the share of the perfect listener's gain.
- 19,200 clips are not enough. The paper's loss, with weights derived anew at step 100, ended at 13.5 % and 64.9
  degrees; with the squared distance in place of the decoder term at 13.75 % and 65.0: with 400 speakers no difference.
- The published weights do not fit our frozen layers. At step 100 the gradients with respect to v_s were 552 behind
  f_dec, 0.19 for the normalised term and 0.14 for the distillation: balanced weights are near 3,000 and 4,000.
- Plain L1 asks for the median. Behind its ReLU 73 % of v_f is zero, so an unsure network should answer with zeros.
- On a busy machine give a run one thread: two wait for each other (9 clips/s, where one made 30 to 55).
"""
