"""How much memory, time and money a training run takes. Pure functions: no network, no torch."""

from estimator.estimate import Estimate, estimate
from estimator.gpus import Gpu, find_gpu, gpus
from estimator.memory import MemoryEstimate
from estimator.prices import Offer, offers
from estimator.spec import ModelSpec
from estimator.time import Range

__all__ = ["Estimate", "Gpu", "MemoryEstimate", "ModelSpec", "Offer", "Range", "estimate", "find_gpu", "gpus", "offers"]
