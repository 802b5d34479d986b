"""Training of sparse autoencoders on the hidden states of a protein language model."""

from interplm_wh.train.plan import TrainingPlan
from interplm_wh.train.recipe import Ramp, SaeRecipe
from interplm_wh.train.run import TrainReport, train

__all__ = ["Ramp", "SaeRecipe", "TrainReport", "TrainingPlan", "train"]
