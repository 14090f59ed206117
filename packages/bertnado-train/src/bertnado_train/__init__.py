"""One training run of a Hugging Face sequence classifier.

Private names of transformers that this package uses for want of public ones:

- `TrainingArguments._n_gpu` (`training_arguments`), set to at most 1: with several GPUs, a `Trainer` wraps the model in
  `DataParallel` and multiplies the batch size.
- `Trainer._wrap_model` and `Trainer._prepare_inputs` (`task_trainer`): an `evaluation_loop` of a subclass needs them to
  evaluate in the precision and on the device of training.
- `Trainer._get_train_sampler` and `Trainer._get_eval_sampler` (`task_trainer`), overridden: they are the only place to
  set the order of the rows.
- `transformers.trainer_pt_utils.LengthGroupedSampler` (`task_trainer`): the sampler of `group_by_length`.

Lower and upper bounds of transformers in `pyproject.toml` cover versions with these names.
"""

from bertnado_config import Precision, TrainingInputs

from .batch_size_limit import OutOfMemoryError
from .best_checkpoint import DivergedError
from .final_model import FinalModel, train_model
from .huggingface_trainer import HuggingFaceTrainer
from .parameters.namespaces import override_parameters
from .read_back import load_model
from .run_config import ReducedConfig, reduce_run_config
from .sweep_plan import SweepPlan
from .training_arguments import convert_arguments
from .trial import train_trial

__all__ = [
    "train_trial",
    "train_model",
    "load_model",
    "FinalModel",
    "HuggingFaceTrainer",
    "SweepPlan",
    "TrainingInputs",
    "Precision",
    "convert_arguments",
    "override_parameters",
    "reduce_run_config",
    "ReducedConfig",
    "DivergedError",
    "OutOfMemoryError",
]
