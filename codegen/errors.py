"""``CodegenError``: what stops a build, with the place in the contract and a hint."""

from __future__ import annotations


class CodegenError(Exception):
    """A contract, or its conventions, that cannot be generated from."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        self.where = where
        self.problem = problem
        self.hint = hint
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}\n  hint: {hint}" if hint else text)
