"""One training run of a Hugging Face sequence classifier."""

from bertnado_config import Precision, TrainingInputs

from .batch_size_limit import OutOfMemoryError
from .best_checkpoint import DivergedError
from .dataset_splits import DatasetError
from .final_model import FinalModel, train_model
from .huggingface_trainer import HuggingFaceTrainer
from .parameters.namespaces import override_parameters
from .sweep_plan import SweepPlan
from .training_arguments import convert_arguments
from .trial import train_trial

__all__ = [
    "train_trial",
    "train_model",
    "FinalModel",
    "HuggingFaceTrainer",
    "SweepPlan",
    "TrainingInputs",
    "Precision",
    "convert_arguments",
    "override_parameters",
    "DatasetError",
    "DivergedError",
    "OutOfMemoryError",
]
