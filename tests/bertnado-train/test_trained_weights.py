import pytest
import torch
from bertnado_train.trained_weights import restore_weights, trained_weights


@pytest.fixture
def model() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))


def test_all_weights_of_a_model_are_trained_unless_some_are_frozen(model: torch.nn.Sequential):
    assert trained_weights(model).keys() == model.state_dict().keys()


def test_a_frozen_weight_is_not_among_them_and_a_buffer_is(model: torch.nn.Sequential):
    model[0].requires_grad_(False)

    assert trained_weights(model).keys() == model.state_dict().keys() - {"0.weight", "0.bias"}


def test_a_tied_weight_is_there_under_both_names(model: torch.nn.Sequential):
    tied = torch.nn.ModuleDict({"first": model[0], "second": model[0]})

    assert {"first.weight", "second.weight"} <= trained_weights(tied).keys()


def test_restored_weights_are_those_that_were_taken(model: torch.nn.Sequential):
    model[0].requires_grad_(False)
    taken = {name: weight.clone() for name, weight in trained_weights(model).items()}
    with torch.no_grad():
        for weight in model.state_dict().values():
            weight.add_(1)
    frozen = model[0].weight.clone()

    restore_weights(model, taken)

    assert all(torch.equal(weight, taken[name]) for name, weight in trained_weights(model).items())
    assert torch.equal(model[0].weight, frozen)


def test_weights_of_other_parts_are_refused(model: torch.nn.Sequential):
    taken = trained_weights(model)
    model[0].requires_grad_(False)

    with pytest.raises(ValueError, match=r"2 weights do not belong to what is trained, among them '0.bias'"):
        restore_weights(model, taken)
