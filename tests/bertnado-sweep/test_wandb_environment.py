"""Which backend `auto` is, and why; it never prompts and never asks a server that it has no key for."""

import os

import pytest
from bertnado_sweep import SweepOptions
from bertnado_sweep.backends import choose_backend
from bertnado_sweep.backends.wandb.environment import has_credentials, quiet_wandb
from bertnado_sweep.testing.wandb_server import KEY


def choice_of(backend):
    choice, problems = choose_backend(SweepOptions(backend=backend))
    assert problems == []
    return choice


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No account: no key, no netrc file, a server that nobody runs."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    return tmp_path


def test_with_a_key_and_a_server_that_answers_it_is_wandb(server):
    choice = choice_of("auto")
    assert choice.name == "wandb"
    assert str(choice) == f"wandb (at {server.url}; the local backend works without it)"


def test_without_a_key_it_is_local_and_says_how_to_log_in(nowhere):
    choice = choice_of("auto")
    assert choice.name == "local"
    assert str(choice) == (
        "local (no W&B API key is configured for http://127.0.0.1:9; "
        "to use W&B, log in with `wandb login`, or set WANDB_API_KEY)"
    )


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_in_a_mode_that_keeps_off_the_network_it_is_local(server, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    assert str(choice_of("auto")) == f"local (WANDB_MODE is {mode}; to use W&B, unset WANDB_MODE)"
    assert server.requests == []


def test_with_a_key_and_no_answer_it_is_local(nowhere, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    choice = choice_of("auto")
    assert choice.name == "local"
    assert "http://127.0.0.1:9 did not answer within 3 s" in choice.reason


def test_a_server_that_fails_answers_too(server):
    server.fail("healthz", status=503)
    assert choice_of("auto").name == "wandb"


def test_wandb_without_a_key_is_an_error_that_says_how_to_log_in_and_how_to_go_offline(nowhere):
    choice, (problem,) = choose_backend(SweepOptions(backend="wandb"))
    assert choice is None
    assert str(problem) == (
        "no W&B API key is configured for http://127.0.0.1:9; log in with `wandb login`, or set WANDB_API_KEY, "
        "or work without it: backend local"
    )


def test_local_asks_nobody(server):
    assert choice_of("local").name == "local"
    assert server.requests == []


def test_a_key_that_wandb_login_kept_is_found_by_its_server(nowhere):
    (nowhere / "netrc").write_text(f"machine 127.0.0.1:9\n  login user\n  password {KEY}\n")
    assert has_credentials("http://127.0.0.1:9")
    assert not has_credentials("http://127.0.0.1:10")


def test_what_the_client_sets_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    with quiet_wandb(tmp_path):
        assert os.environ["WANDB_DIR"] == str(tmp_path)
        os.environ |= {"WANDB_PROJECT": "theirs", "WANDB_ENTITY": "theirs"}
    assert os.environ["WANDB_PROJECT"] == "mine"
    assert "WANDB_ENTITY" not in os.environ
    assert "WANDB_DIR" not in os.environ


def test_directories_and_silence_of_the_persons_own_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", "elsewhere")
    monkeypatch.setenv("WANDB_SILENT", "false")
    with quiet_wandb(tmp_path):
        assert (os.environ["WANDB_DIR"], os.environ["WANDB_SILENT"]) == ("elsewhere", "false")
