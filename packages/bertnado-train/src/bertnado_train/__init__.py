"""One training run of a Hugging Face sequence classifier.

Private names of transformers that this package uses for want of public ones:

- `TrainingArguments._n_gpu` (`training_arguments`), set to at most 1: with several GPUs, a `Trainer` wraps the model in
  `DataParallel` and multiplies the batch size.
- `Trainer._wrap_model` and `Trainer._prepare_inputs` (`task_trainer`): an `evaluation_loop` of a subclass needs them to
  evaluate in the precision and on the device of training.
- `Trainer._get_train_sampler` and `Trainer._get_eval_sampler` (`task_trainer`), overridden: they are the only place to
  set the order of the rows.
- `Trainer._save_checkpoint`, `_load_from_checkpoint`, `_load_optimizer_and_scheduler`, `_load_scaler` and
  `_load_rng_state` (`resumable_trainer`), overridden: `Trainer.train` calls them to write and to restore a state, which
  here is a single file and is checked before anything is restored. `Trainer._tr_loss`, `_total_loss_scalar` and
  `_globalstep_last_logged` are the loss since the last log.
- `transformers.trainer_pt_utils.LengthGroupedSampler` (`task_trainer`): the sampler of `group_by_length`.
- `Accelerator._dataloaders` (`task_trainer`), which keeps the rows of every evaluation; `free_memory` would collect
  garbage each time as well.
- `PreTrainedModel.get_init_context`, `_move_missing_keys_from_meta_to_device`, `_initialize_missing_keys` and
  `_tied_weights_keys` (`transformers4_code`), overridden in classes of a model's own code: no option of
  `from_pretrained` builds a model outside of the meta device.
- `PreTrainedModel._from_config` (`stored_model`): builds a class of a model's own code from scratch.
- `transformers.dynamic_module_utils` (`custom_code`, `pooled_head`) and `transformers.utils.hub.cached_file`
  (`stored_weights`): they find a model's code and files in a directory, the cache or the hub.
- `torch.nn.modules.batchnorm._BatchNorm` (`stored_model`): the base of all batch normalisations.

Lower and upper bounds of transformers in `pyproject.toml` cover versions with these names.
"""

from bertnado_config import Precision, TrainingInputs

from .adopted_checkpoint import adopt_checkpoint
from .batch_size_limit import OutOfMemoryError
from .best_checkpoint import DivergedError
from .final_evaluation import group_column_problem
from .final_model import FinalModel, train_model, train_on_all_rows
from .huggingface_trainer import HuggingFaceTrainer
from .parameters.namespaces import override_parameters
from .prediction import PredictedRows, Predictor, open_input
from .prediction_record import PredictionRecord
from .prediction_table import PredictionTable, TableWriter, require_writable, written_atomically
from .read_back import load_model
from .run_config import ReducedConfig, reduce_run_config
from .sequence_files import SequenceInput
from .sweep_plan import SweepPlan
from .training_arguments import convert_arguments
from .trial import train_trial

__all__ = [
    "train_trial",
    "train_model",
    "train_on_all_rows",
    "adopt_checkpoint",
    "load_model",
    "group_column_problem",
    # predictions
    "Predictor",
    "open_input",
    "SequenceInput",
    "PredictedRows",
    "PredictionRecord",
    "PredictionTable",
    "TableWriter",
    "require_writable",
    "written_atomically",
    # training
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
