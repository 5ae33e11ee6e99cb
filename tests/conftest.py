"""Settings of the whole test run."""

import hypothesis
import torch

# A busy machine is no failure; examples are drawn the same way every time.
hypothesis.settings.register_profile("polymatch", deadline=None, derandomize=True)
hypothesis.settings.load_profile("polymatch")

torch.set_num_threads(1)
