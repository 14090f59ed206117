"""`python -m bertnado`: the same as the command `bertnado`."""

from bertnado.cli import main

if __name__ == "__main__":
    main(prog_name="bertnado")
