"""One training run of a Hugging Face sequence classifier."""

from bertnado_config import Precision, TrainingInputs

from .arguments import convert_arguments
from .checks import SweepPlan
from .final import FinalModel, train_model
from .loop import DivergedError
from .memory import OutOfMemoryError
from .parameters.namespaces import override_parameters
from .prepared import DatasetError
from .trainer import HuggingFaceTrainer
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
