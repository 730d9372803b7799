"""`python -m trainer.table`: the README's table of parameters, from the same fields everything else reads."""

from __future__ import annotations

from trainer.config import TrainingConfig, allowed, show, step_of, usual_range


def table() -> str:
    """A Markdown table: name, step, allowed values, usual range, default, explanation."""
    lines = ["| Parameter | Step | Allowed | Usual | Default | What it does |", "|---|---|---|---|---|---|"]
    for name, field in TrainingConfig.model_fields.items():
        usual = usual_range(name)
        cells = (
            f"`{name}`", step_of(name), allowed(name).replace(" | ", ", "),
            f"{show(usual[0])} to {show(usual[1])}" if usual else "",
            "computed or none" if field.default is None else show(field.default),
            " ".join((field.description or "").split()),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
