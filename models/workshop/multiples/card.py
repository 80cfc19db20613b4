"""The model card of the starter of multiples: what it was made from, what it scores, where it fails, from measured figures only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.workshop.multiples.measure import PREVALENCES, THRESHOLDS
from models.workshop.multiples.network import SIDE_PX

_INTRO = f"""# Multiples on ZooScan scans, starter

Tells of an object of a ZooScan scan whether it is **several animals that touch** (`multi`) or **one** (`single`), so that an operator looks
at the likely ones first, and a separator is asked about those alone. It is a beginning until a laboratory brings a model that
was trained on its own scans, such as that of iMagine (doi.org/10.5281/zenodo.18241878), whose preprocessing the appliance keeps to.

Input: the object alone, inverted, cut to its box, in a black square, {SIDE_PX} x {SIDE_PX} px, grey over 255. Output: two scores.

## What it learned from

**Rendered plankton only** (`models/workshop/scan`): copepods, cladocerans, ostracods, chaetognaths, appendicularians, bells, medusae,
radiolarians, detritus, fibres and bubbles, alone and pushed together. No pixel of a real animal entered training. An earlier version took
most siphonophores and clumps of detritus among the real vignettes below for several, which led to more of both among the drawings: **so the
figures on real vignettes are no blind test**. No pretrained weights were used. Animals that lie on a fibre or on detritus count as several:
they are to be separated as well; clumps of detritus count as one.
"""

_LIMITS = """## Limits

* Real multiples with known truth were not to be had. The pairs above are real animals laid together by a program: they touch as chance
  wills, not as animals in a tray do, and the classes are four (Cladocera, Copepoda, Siphonophorae, detritus), each sorted by experts as
  single objects.
* The greys of most of the real vignettes were changed after measuring (gamma); the appliance gives the classifier unchanged greys.
* Transparent bells with something in them, ragged detritus and branched colonies are what it takes for several most often. A small thing
  on a large animal is what it misses most often: the drawn ones that touch are of similar sizes.
* Threshold 0.4, as Zooprocess's tenth version: rather a single animal too many on the operator's list than a pair too few. Scores are
  stored, so that another threshold needs no new run. They are those of a training in which multiples weigh as much as all singles
  together: of 100 objects with a score of 0.5 fewer than 50 are several.
* It was tried on no scanner.

## Intended use

To put likely multiples first on the check page, and to choose what the separator is asked about. Not to count without a person's look.

## Licence

Apache-2.0: own code, own drawings, weights from nothing.
"""


def card_text(training: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        training: as train.json has it.
        figures: by variant, as `measure` gave them.
    """
    return "\n".join([_INTRO, _training(training), _scores(figures), _LIMITS])


def _training(training: Mapping[str, Any]) -> str:
    plan, drawn = training["plan"], training["drawn"]
    return f"""## How it was trained

From random weights, by one command from the top of the repository: `make starter-multiples`

{plan["steps"]} steps of {plan["batch_size"]} crops, {plan["multiple_share"]:.0%} of them multiples, of {drawn["singles"]} drawn singles and
{drawn["multiples"]} drawn multiples (seed {drawn["seed"]}), each changed by chance whenever it is seen: turned, mirrored, stretched, bent,
broken, limbs taken off, greys spread. Loss: cross entropy, a multiple weighing {plan["multiple_weight"]:g} times a single. AdamW,
highest learning rate {plan["learning_rate"]:g}; {training["minutes"]:.0f} minutes of one core. The weights are a running average over the
last steps.

| | |
| --- | --- |
| renderer of what it learned from | `{training["renderer_sha256"]}` |
| renderer of what it was measured on | `{training["measured_renderer_sha256"]}` |
| weights | `{training["weights_sha256"]}` |
| seed | {plan["seed"]} |
| torch | {training["torch"]} |

Drawings repeat byte for byte; weights repeat on the same kind of processor with the same torch and NumPy.
"""


def _scores(figures: Mapping[str, Any]) -> str:
    first = next(iter(figures.values()))
    lines = ["## What it scores", ""]
    kinds = [("rendered", "rendered objects not learned from, kinds as in a tow")]
    if first["real"] is not None:
        kinds.append(("real", "real vignettes (singles), and pairs of real animals laid together"))
    for kind, title in kinds:
        one = first[kind]
        lines += [f"On {one['singles']} singles and {one['multiples']} multiples, {title}:", "", _header(), _rule()]
        lines += [_row(name, threshold, figures[name][kind]) for name in figures for threshold in THRESHOLDS]
        lines.append("")
    if first["real"] is not None:
        shares = ", ".join(f"{label} {facts['0.4']:.1%} of {facts['n']}" for label, facts in first["false_by_class"].items())
        lines += [f"Real single objects that it takes for several at 0.4: {shares}.", ""]
    shares = " and ".join(f"{share:.0%}" for share in PREVALENCES)
    lines.append(f"`precision at` is reckoned from recall and false alarms for scans in which {shares} of the objects are several.")
    return "\n".join(lines) + "\n"


def _header() -> str:
    shares = "".join(f" | precision at {share:.0%}" for share in PREVALENCES)
    return f"| variant | threshold | AUC | multiples found | singles taken for several{shares} |"


def _rule() -> str:
    return "| --- |" + " --- |" * (4 + len(PREVALENCES))


def _row(name: str, threshold: float, figures: Mapping[str, Any]) -> str:
    at = figures["at"][str(threshold)]
    precisions = "".join(f" | {at['precision'][str(share)]:.2f}" for share in PREVALENCES)
    return f"| {name} | {threshold:g} | {figures['auc']:.4f} | {at['recall']:.1%} | {at['false_share']:.1%}{precisions} |"
