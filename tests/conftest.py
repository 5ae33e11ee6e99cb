"""Settings of the whole test run."""

import hypothesis
import pytest
import torch

# A busy machine is no failure; examples are drawn the same way every time.
hypothesis.settings.register_profile("polymatch", deadline=None, derandomize=True)
hypothesis.settings.load_profile("polymatch")

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread():
    """Sums over several threads have other last bits: no test hands its number on to the next."""
    torch.set_num_threads(1)
