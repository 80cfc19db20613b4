"""Are there files that became no result?"""

from __future__ import annotations

from collections import Counter

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.reads.health import count_failed_reprocessing, quarantined_by_recipe_and_reason

TITLE = "No failures wait"
CODES = frozenset({IssueCode.FAILURES_WAITING, IssueCode.REPROCESS_FAILED})


def run_check(context: HealthContext) -> list[Issue]:
    """One issue for each recipe with quarantined files, and for each with images that failed when processed again."""
    by_recipe: Counter[str] = Counter()
    for (recipe, _reason), files in quarantined_by_recipe_and_reason(context.connection).items():
        by_recipe[recipe] += files
    return [_waiting(recipe, files) for recipe, files in sorted(by_recipe.items())] + [
        _reprocess(recipe, images) for recipe, images in sorted(count_failed_reprocessing(context.connection).items())
    ]


def _waiting(recipe: str, files: int) -> Issue:
    return Issue(
        code=IssueCode.FAILURES_WAITING,
        severity=Severity.WARNING,
        reference=recipe,
        message=f"{files} {'file' if files == 1 else 'files'} of {recipe} became no result.",
        advice="The Failures page gives each reason, what to do, and a button to try again.",
    )


def _reprocess(recipe: str, images: int) -> Issue:
    return Issue(
        code=IssueCode.REPROCESS_FAILED,
        severity=Severity.NOTICE,
        reference=recipe,
        message=f"{images} {'image' if images == 1 else 'images'} of {recipe} failed when processed again; the earlier result stands.",
        advice="The Failures page lists them.",
    )
