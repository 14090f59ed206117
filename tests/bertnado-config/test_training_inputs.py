"""The inputs of training: what is recorded of them, and how a record completes them."""

from bertnado_config import TrainingInputs


def test_how_sequences_are_written_and_cut_is_recorded_if_it_was_asked_for():
    inputs = TrainingInputs(dataset="d", model_name="m", uppercase=True, max_length=512, too_long="truncate")
    assert inputs.to_record() == {
        "model_name": "m",
        "dataset": "d",
        "task_type": "binary_classification",
        "trust_remote_code": False,
        "precision": "auto",
        "uppercase": True,
        "max_length": 512,
        "too_long": "truncate",
    }


def test_a_sweep_that_continues_writes_sequences_as_recorded():
    recorded = TrainingInputs(dataset="d", rna_to_dna=True, max_length=512).to_record()
    inputs = TrainingInputs.completed({"dataset": "elsewhere", "max_length": None}, recorded)
    assert (inputs.dataset, inputs.rna_to_dna, inputs.max_length) == ("elsewhere", True, 512)


def test_a_record_from_before_these_options_means_their_defaults():
    inputs = TrainingInputs.completed({}, {"dataset": "d"})
    assert inputs.sequence_options == {
        "uppercase": False,
        "rna_to_dna": False,
        "max_length": None,
        "too_long": "error",
    }
