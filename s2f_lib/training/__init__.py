"""The parts of training: settings, sources of batches, the loop, checkpoints, cached targets, sweeps.

Most readers need only `s2f_lib.train`, which puts them together.

Notes from the first runs
-------------------------
No voice encoder is shipped yet: the CPU time was not there. What the trial runs taught, as looked at while they ran and
not as recorded results (12,000 speakers, one 3 s clip each, magnitude input, the ``quick`` network, 400 other speakers):

- *A run can collapse without a failing loss.* With v_s starting at the mean face, a random fc2 only adds error; at a
  learning rate of 2e-3 the first steps silenced every unit of fc1 to be rid of it, and every voice got the same answer:
  900 steps at exactly 10 % in the nearest tenth. Since then fc2 starts at zero (``start_from_mean``).
- *Little of v_f can be heard.* About 2 % of its variance goes with the assigned sex and 1.6 % with age; skin, hair and
  light take far more. A perfect listener (ridge on the true voice parameters, 3,900 people) reached 23.5 % in the nearest
  tenth of 600 and an angle of 63.3 degrees, the mean feature 10 % and 65.4: the paper's 46 % is out of reach here for
  anybody who scores by cosine, so the share of the perfect listener's gain is the number to watch.
- *19,200 clips are not enough.* The paper's loss with weights derived anew at step 100 came to 13.5 % and 64.9 degrees,
  squared distance in place of the decoder term to 13.75 % and 65.0; both were still improving until the rate fell.
- *The published weights do not fit.* Measured at step 100, gradients with respect to v_s were 552 behind f_dec, 0.19
  for the normalised term and 0.14 for the distillation: balanced weights are about 3,000 and 4,000, not 0.025 and 200.
- *Plain L1 asks for the median.* Behind its ReLU 73 % of v_f is zero, so the best constant answer under L1 is mostly zero.
- *One thread per run on a busy machine.* Two threads wait for each other: 9 clips/s, where one thread made 30 to 55.
"""
