"""Sweep files: reading, checking, parameter spaces and sampling."""

from bertnado_metrics import nearest

from .argument_problem import ArgumentProblem
from .best_config import BEST_METRIC_KEYS, BestConfig, read_best_config, write_best_config
from .early_termination import EARLY_TERMINATION_RULES, EarlyTerminationRule, declare_rule
from .errors import InvalidInputError, Problem, SweepConfigError
from .files import move_into_place, read_document, read_json, write_json
from .forecast import Forecast, TrialForecast
from .hyperband import Hyperband
from .json_types import to_json_types
from .metric_section import MetricSection
from .option_details import OptionDetails, literal_choices
from .parameter_paths import ParameterPath, nest_parameters, parameter_label, parameter_place
from .parameters import (
    FORMS,
    Beta,
    Categorical,
    CategoricalWithProbabilities,
    Constant,
    IntUniform,
    InvLogUniform,
    InvLogUniformValues,
    LogNormal,
    LogUniform,
    LogUniformValues,
    Normal,
    Parameter,
    QBeta,
    QLogNormal,
    QLogUniform,
    QLogUniformValues,
    QNormal,
    QUniform,
    Uniform,
    value_key,
)
from .regular_file import UnfitFileError, path_exists, path_problem, require_regular_file
from .search_methods import declare_method, method_names, space_problems
from .sweep_config import (
    CheckedSweepConfig,
    SweepConfig,
    check_sweep_config,
    load_sweep_config,
    parse_sweep_config,
)
from .trainer_protocol import (
    GPU_SHARE,
    ForecastingTrainer,
    MachineError,
    Report,
    Session,
    Trainer,
    TrainingStates,
    TrialError,
    TrialFunction,
    TrialResult,
)
from .training_inputs import Head, LabelScaling, Precision, TooLong, TrainingInputs
from .trial_parameters import flatten_parameters, grid_parameters, grid_point, grid_size, sample_parameters
from .visible_gpus import VISIBLE_DEVICES, listed_gpus, named_gpus, visible_gpus
from .wandb_names import entity_problem, project_problem

__all__ = [
    "load_sweep_config",
    "parse_sweep_config",
    "check_sweep_config",
    "SweepConfig",
    "CheckedSweepConfig",
    "MetricSection",
    "EarlyTerminationRule",
    "EARLY_TERMINATION_RULES",
    "declare_rule",
    "Hyperband",
    "declare_method",
    "method_names",
    "space_problems",
    "Problem",
    "ArgumentProblem",
    "InvalidInputError",
    "SweepConfigError",
    "TooLong",
    "TrainingInputs",
    "OptionDetails",
    "literal_choices",
    "LabelScaling",
    "Precision",
    "Head",
    "sample_parameters",
    "grid_parameters",
    "grid_point",
    "grid_size",
    "ParameterPath",
    "parameter_label",
    "parameter_place",
    "nest_parameters",
    "flatten_parameters",
    "BestConfig",
    "read_best_config",
    "write_best_config",
    "BEST_METRIC_KEYS",
    "read_document",
    "read_json",
    "write_json",
    "move_into_place",
    "to_json_types",
    "path_problem",
    "path_exists",
    "require_regular_file",
    "UnfitFileError",
    "project_problem",
    "visible_gpus",
    "named_gpus",
    "listed_gpus",
    "VISIBLE_DEVICES",
    "entity_problem",
    "nearest",
    "value_key",
    "Parameter",
    "FORMS",
    "Constant",
    "Categorical",
    "CategoricalWithProbabilities",
    "IntUniform",
    "Uniform",
    "QUniform",
    "LogUniform",
    "LogUniformValues",
    "QLogUniform",
    "QLogUniformValues",
    "InvLogUniform",
    "InvLogUniformValues",
    "Normal",
    "QNormal",
    "LogNormal",
    "QLogNormal",
    "Beta",
    "QBeta",
    "Trainer",
    "Session",
    "Report",
    "TrainingStates",
    "TrialResult",
    "ForecastingTrainer",
    "Forecast",
    "TrialForecast",
    "TrialError",
    "MachineError",
    "TrialFunction",
    "GPU_SHARE",
]
