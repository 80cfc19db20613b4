"""From stations to a ground and a survey: the random stratified estimate, formula (8) of the field's specification.

Burrow systems per square metre times square kilometres are millions of systems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

CV_LIMIT = 0.20
_CONFIDENCE = 0.975  # two-sided 95 %
_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundEstimate:
    """One ground. With fewer than two stations there is no spread: `se_per_m2` and all that follows from it is None."""

    name: str
    stations: int
    area_km2: float
    mean_per_m2: float
    sd_per_m2: float | None
    se_per_m2: float | None
    ci_per_m2: float | None

    @property
    def abundance_millions(self) -> float:
        """Systems on the ground, in millions."""
        return self.mean_per_m2 * self.area_km2

    @property
    def ci_millions(self) -> float | None:
        """Half the width of the 95 % interval of the abundance."""
        return None if self.ci_per_m2 is None else self.ci_per_m2 * self.area_km2


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyEstimate:
    """All grounds together.

    Attributes:
        se_millions: from the grounds' standard errors as independent ones; None while a ground has fewer than two stations.
        ci_linear_millions: the grounds' intervals added up, as the Marine Institute tabulates them; wider than independence allows.
        cv: relative standard error, None where `se_millions` is or the abundance is zero.
    """

    abundance_millions: float
    se_millions: float | None
    ci_linear_millions: float | None
    cv: float | None

    @property
    def is_precise_enough(self) -> bool | None:
        """Whether the CV is below 20 %, the least that is asked of a survey; None while it is unknown."""
        return None if self.cv is None else self.cv < CV_LIMIT


def ground_estimate(name: str, densities_per_m2: Sequence[float], area_km2: float) -> GroundEstimate:
    """Mean, standard deviation (n - 1), standard error and 95 % interval of a ground's stations. Zeros are stations like others.

    Raises:
        ValueError: no station, a density that is no number or negative, or an area that is not positive.
    """
    n = len(densities_per_m2)
    if n == 0:
        raise ValueError(f"ground {name} has no station")
    if not (math.isfinite(area_km2) and area_km2 > 0):
        raise ValueError(f"ground {name} has an area of {area_km2} km2")
    if not all(math.isfinite(value) and value >= 0 for value in densities_per_m2):
        raise ValueError(f"ground {name} has a density that is no number or negative")
    mean = math.fsum(densities_per_m2) / n
    sd = se = ci = None
    if n > 1:
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in densities_per_m2) / (n - 1))
        se = sd / math.sqrt(n)
        ci = se * t_quantile(_CONFIDENCE, n - 1)
    return GroundEstimate(name=name, stations=n, area_km2=area_km2, mean_per_m2=mean, sd_per_m2=sd, se_per_m2=se, ci_per_m2=ci)


def survey_estimate(grounds: Sequence[GroundEstimate]) -> SurveyEstimate:
    """Add grounds up.

    Raises:
        ValueError: no ground.
    """
    if not grounds:
        raise ValueError("no ground, no survey")
    abundance = math.fsum(ground.abundance_millions for ground in grounds)
    errors = [ground.se_per_m2 * ground.area_km2 for ground in grounds if ground.se_per_m2 is not None]
    intervals = [ground.ci_millions for ground in grounds if ground.ci_millions is not None]
    if len(errors) < len(grounds):
        return SurveyEstimate(abundance_millions=abundance, se_millions=None, ci_linear_millions=None, cv=None)
    se = math.sqrt(math.fsum(error**2 for error in errors))
    return SurveyEstimate(
        abundance_millions=abundance,
        se_millions=se,
        ci_linear_millions=math.fsum(intervals),
        cv=se / abundance if abundance > 0 else None,
    )


def running_cv(densities_per_m2: Sequence[tuple[str, float]], areas_km2: Mapping[str, float]) -> list[float | None]:
    """The survey's CV after each station, (ground, density) in the order in which they came in.

    None until every ground has two stations: a ground without any is not yet known to be empty, and one alone has no spread.

    Raises:
        ValueError: a station's ground has no area.
    """
    seen: dict[str, list[float]] = {name: [] for name in areas_km2}
    series: list[float | None] = []
    for ground, value in densities_per_m2:
        if ground not in seen:
            raise ValueError(f"ground {ground} has no area")
        seen[ground].append(value)
        whole = all(len(values) > 1 for values in seen.values())
        grounds = [ground_estimate(name, values, areas_km2[name]) for name, values in seen.items()] if whole else []
        series.append(survey_estimate(grounds).cv if whole else None)
    return series


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """Quantile of Student's t distribution, for probabilities from 0.5 up to 0.9999.

    By bisection of the distribution function, which for whole degrees of freedom is a finite sum (Abramowitz and Stegun 26.7.3
    and 26.7.4). Kept: a running CV asks for the same few thousands of times.

    Raises:
        ValueError: fewer than one degree of freedom, or a probability outside that range.
    """
    if degrees_of_freedom < 1 or not 0.5 <= probability <= 0.9999:
        raise ValueError(f"no quantile of t at {probability} with {degrees_of_freedom} degrees of freedom")
    low, high = 0.0, 10_000.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, degrees_of_freedom) < 2 * probability - 1 else (low, middle)
    return high


def _t_within(t: float, n: int) -> float:
    """Probability that |T| < t with n degrees of freedom."""
    angle = math.atan(t / math.sqrt(n))
    cosine, sine = math.cos(angle), math.sin(angle)
    if n % 2:
        term = total = cosine if n > 1 else 0.0
        for k in range(3, n - 1, 2):
            term *= cosine**2 * (k - 1) / k
            total += term
        return 2 / math.pi * (angle + sine * total)
    term = total = 1.0
    for k in range(2, n - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return sine * total
