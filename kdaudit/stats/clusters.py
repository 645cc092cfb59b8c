"""How much unequal units say: effective number, correction of the sandwich, degrees of freedom.

A unit is what is independent: a row, or a cluster of rows. A mean weighs unit c by its share
``p_c = m_c / Σm`` of the mass m: its rows, or the sum of their weights. All that inference needs to
know of the shares is in two numbers, ``effective = 1 / Σp²`` and ``largest = max p``, which follow
from Σm, Σm² and max m: sums and maxima that `numpy.bincount` and `numpy.maximum.at` give for any
number of groups at once.

**Correction.** Let units have means x_c, independent, with one expectation and any variances
σ_c². The error of ``m = Σ p x`` has variance ``Σ p²σ²``; the sandwich ``Σ p_c² (x_c - m)²``
expects ``Σ p_c²σ_c² (1 - 2p_c + Σp²)``, which is too little most where a share is largest. Times

    correction = 1 / (1 - 2·largest + 1/effective)

it is too little for no variances whatsoever: rows that are alike within clusters, or not, or in
some clusters only. For equal shares it is C / (C - 1), and then exact. CR2 is exact only where the
rows within clusters are independent, and the plain C / (C - 1) nowhere but for equal shares: with
Zipf sizes and whole clusters that agree, their one-sided tests at 0.05 err with chance 0.09 and
0.12.

**Degrees of freedom.** ``effective - 1``: C - 1 for equal shares, and close to Bell and
McCaffrey's (2002) where the rows within clusters are independent. Where whole clusters agree the
sandwich varies more than a χ² with so many degrees; the correction makes up for it.

Source: Kish 1965 (effective number); Hartley, Rao and Kiefer 1969 (unbiased sandwiches for unequal
variances); Carter, Schnepel and Steigerwald 2017 (effective number of clusters).
`benchmarks/operating_characteristics.py` holds what is said here against simulations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """What the shares of the units of G groups allow.

    Attributes:
        units: (G,) units with a mass above 0.
        effective: (G,) units of equal mass that would say as much, 1 / Σp²; 0 without units.
        largest: (G,) share of the heaviest unit, in (0, 1]; 1 without units.
        cubes: (G,) Σp³; 0 without units.
    """

    units: IntArray
    effective: FloatArray
    largest: FloatArray
    cubes: FloatArray


def design(mass: ArrayLike, group: ArrayLike | None = None, groups: int = 1) -> Design:
    """Count the units of each group by how evenly they weigh.

    Args:
        mass: (E,) mass of each unit, at least 0 and finite. A cluster with rows in several groups
            has one entry in each of them.
        group: (E,) the group of each entry, counted from 0; None for one group.
        groups: how many groups.

    Raises:
        ValueError: for shapes that do not fit, or a mass that is negative or not finite.

    >>> found = design([10, 1, 1, 2, 2], [0, 0, 0, 1, 1], groups=2)
    >>> found.units.tolist(), found.effective.round(2).tolist(), found.largest.round(2).tolist()
    ([3, 2], [1.41, 2.0], [0.83, 0.5])
    """
    m = np.asarray(mass, np.float64)
    code = np.zeros(m.shape, np.int64) if group is None else np.asarray(group, np.int64)
    if m.ndim != 1 or code.shape != m.shape:
        raise ValueError(f"mass and group are (entries,), got {m.shape} and {code.shape}")
    if not ((m >= 0) & (m < np.inf)).all():
        raise ValueError("masses are finite and not negative")
    heaviest = np.zeros(groups)
    np.maximum.at(heaviest, code, m)
    # In units of the heaviest, so that neither huge nor tiny weights leave the floats.
    relative = np.divide(m, heaviest[code], out=np.zeros_like(m), where=m > 0)
    total = np.bincount(code, relative, groups)
    squares = np.bincount(code, relative * relative, groups)
    cubes = np.bincount(code, relative**3, groups)
    some = total > 0
    return Design(
        units=np.bincount(code, m > 0, groups).astype(np.int64),
        effective=np.divide(total**2, squares, out=np.zeros(groups), where=some),
        largest=np.divide(1.0, total, out=np.ones(groups), where=some),
        cubes=np.divide(cubes, total**3, out=np.zeros(groups), where=some),
    )


def correction(effective: ArrayLike, largest: ArrayLike) -> FloatArray:
    """Factor with which a sandwich variance is too small for no variances of the units.

    Args:
        effective: effective number of units, at least 1.
        largest: share of the heaviest unit, in (0, 1).

    Returns:
        ``1 / (1 - 2·largest + 1/effective)``, in the broadcast shape; infinite for a lone unit.

    >>> correction(8, 1 / 8).round(4) == round(8 / 7, 4)
    np.True_
    >>> correction(8, 0.25).round(4)
    np.float64(1.6)
    """
    rest = 1 - 2 * np.asarray(largest, np.float64) + 1 / np.asarray(effective, np.float64)
    with np.errstate(divide="ignore"):
        # It is at least (1 - largest)², so nothing but rounding makes it negative.
        return np.asarray(1 / np.maximum(rest, 0.0), np.float64)


def degrees_of_freedom(effective: ArrayLike) -> FloatArray:
    """Degrees of freedom of Student's t for a mean of unequal units: ``effective - 1``.

    >>> degrees_of_freedom([8.0, 30.5]).tolist()
    [7.0, 29.5]
    """
    return np.asarray(np.asarray(effective, np.float64) - 1, np.float64)
