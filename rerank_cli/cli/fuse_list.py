"""`rerank fuse --list`: every rule, what it needs and when to use it, and every norm, as tab-separated lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rerank_cli.fusion.rule import Rule


def print_rules(rules: dict[str, Rule]) -> None:
    """One line a rule under a line of headings, and after an empty line likewise the norms."""
    from rerank_cli.fusion.norms import NORMS

    typer.echo("RULE\tLOOKS AT\tNEEDS\tSCORE OF A DOCUMENT\tA RUN THAT LACKS IT\tPARAMETERS\tUSE IT FOR\tPAPER")
    for rule in rules.values():
        parameters = [f"{p.name}={p.default:g} ({p.summary})" for p in rule.params]
        accepted = ", ".join((["weights"] if rule.weighted else []) + parameters) or "-"
        row = (rule.name, rule.takes, _needs(rule), rule.summary, rule.missing, accepted, rule.use, rule.paper)
        typer.echo("\t".join(row))
    typer.echo("\nNORM\tSCORE s OF A DOCUMENT BECOMES")
    for norm in NORMS.values():
        typer.echo(f"{norm.name}\t{norm.summary}")


def _needs(rule: Rule) -> str:
    """What must be there before the rule can be used."""
    needs = ["judgements (--tune), or --params"] if rule.learn else []
    if rule.norm != "none":
        needs.append(f"--norm {rule.norm} (its default)")
    elif rule.takes == "scores":
        needs.append("scores on one scale (--norm)")
    if rule.non_negative and rule.norm == "none":
        needs.append("none below 0")
    if rule.name == "footrule":
        needs.append("scipy (the extra stats)")
    return ", ".join(needs) or "nothing"
