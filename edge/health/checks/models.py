"""Does the model of each recipe work on this machine?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edge.errors import Reason
from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.reads.health import ActiveVariant, active_variants, quarantined_by_recipe_and_reason

TITLE = "The models work here"
CODES = frozenset({IssueCode.MODEL_UNUSABLE, IssueCode.MODEL_FAILED, IssueCode.VARIANT_REFUSED})

_ROLL_BACK = "Roll the model back on the Models page (or `imagine-edge models rollback`), then try the failed files again."


def run_check(context: HealthContext) -> list[Issue]:
    """A recipe without a working model, files that a model failed on, and variants that were refused."""
    judged: dict[str, list[ActiveVariant]] = defaultdict(list)
    for variant in active_variants(context.connection, context.machine):
        judged[variant.recipe].append(variant)
    faults = {recipe: detail for recipe, variants in judged.items() if (detail := _fault(variants))} | dict(context.model_faults)
    issues = [_unusable(recipe, detail) for recipe, detail in sorted(faults.items())]
    for (recipe, reason), files in sorted(quarantined_by_recipe_and_reason(context.connection).items()):
        if reason == Reason.MODEL_FAILED:
            issues.append(_failed(recipe, files))
    return issues + [_refused(recipe, variants) for recipe, variants in judged.items() if recipe not in faults and _refusals(variants)]


def _fault(variants: Sequence[ActiveVariant]) -> str:
    """Why none of the variants can serve; empty if one can, or none was judged yet."""
    if any(variant.offered or variant.name is None for variant in variants):
        return ""
    return "; ".join(_refusals(variants))


def _refusals(variants: Sequence[ActiveVariant]) -> list[str]:
    return [f"{variant.name}: {variant.reason}" for variant in variants if variant.offered is not None and not variant.offered]


def _unusable(recipe: str, detail: str) -> Issue:
    return Issue(
        code=IssueCode.MODEL_UNUSABLE,
        severity=Severity.ERROR,
        reference=recipe,
        message=f"No model serves {recipe}; its files wait. {detail}",
        advice=_ROLL_BACK,
    )


def _failed(recipe: str, files: int) -> Issue:
    return Issue(
        code=IssueCode.MODEL_FAILED,
        severity=Severity.ERROR,
        reference=recipe,
        message=f"The model of {recipe} gave no usable answer for {files} {'file' if files == 1 else 'files'}.",
        advice=_ROLL_BACK,
    )


def _refused(recipe: str, variants: Sequence[ActiveVariant]) -> Issue:
    refusals = _refusals(variants)
    model = f"{variants[0].model} {variants[0].version}"
    return Issue(
        code=IssueCode.VARIANT_REFUSED,
        severity=Severity.NOTICE,
        reference=recipe,
        message=f"{len(refusals)} of {len(variants)} variants of {model} are not used here: {'; '.join(refusals)}",
        advice="The fastest of the others serves. Nothing needs to be done unless this machine should be faster.",
    )
